"""OpenVINO, one synchronous call after another or an ``AsyncInferQueue``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from optguide.errors import ModelError, OptionError
from optguide.openvino_release import KEY_VALUE_CACHE_PROPERTIES
from optguide.runtimes.base import (
    Outputs,
    Runner,
    Runtime,
    dynamic_shape,
    frames_of,
    misfit,
    parse_number,
    refuse_other_types,
)
from optguide.runtimes.inputs import Arrays, InputSpec
from optguide.runtimes.openvino_errors import (
    failed_running,
    not_compiled,
    not_imported,
    refuse_absent,
    refuse_unbatched,
    refuse_unknown,
    telling_line,
)
from optguide.runtimes.openvino_layers import LayerCounter
from optguide.runtimes.openvino_models import SUFFIX, port_name, read_blob, read_model, reshape, set_batch

Feed = Literal["each", "preset"]

_HINTS = {
    "latency": "LATENCY",
    "throughput": "THROUGHPUT",
    "cumulative": "CUMULATIVE_THROUGHPUT",
    "none": "",
}
_QUEUED = ("THROUGHPUT", "CUMULATIVE_THROUGHPUT")


@dataclass(frozen=True)
class OpenVINO(Runtime):
    """OpenVINO, and how it runs a model.

    A model may also be a ``.blob``, a compiled model that OpenVINO exported. It is mapped into memory, or
    copied where the property ``ENABLE_MMAP`` is ``NO``.

    :param device: name of a device, or of a combination such as ``AUTO:GPU,CPU``.
    :param properties: OpenVINO properties, as strings (``{"PERFORMANCE_HINT": "THROUGHPUT"}``).
    :param precision: inference precision to pin (``"f32"``); ``None`` leaves the device's default.
    :param threads: inference threads to pin; ``None`` leaves the device's default.
    :param requests: infer requests in flight. ``None`` is one synchronous call after another; a number
        is an ``AsyncInferQueue`` of that size; ``0`` is a queue of the size the device calls optimal.
    :param shapes: input name to static shape, applied before compilation.
    :param batch: batch size to reshape to; ``None`` leaves the model's.
    :param feed: ``"each"`` hands the inputs over with every call, as an application does;
        ``"preset"`` sets them once, as ``benchmark_app`` does.
    :param cache_dir: folder of the model cache.
    :param single_call: hand the file to ``compile_model`` instead of reading it first; it is then read only
        if the model cache does not have it.
    """

    names: ClassVar = {"openvino": {}}
    formats: ClassVar = {
        ".xml": "OpenVINO IR",
        ".onnx": "ONNX",
        ".tflite": "TensorFlow Lite",
        ".pdmodel": "PaddlePaddle",
        ".pb": "TensorFlow frozen graph",
        ".pt2": "torch.export",
        "": "the folder of a TensorFlow SavedModel",
    }
    packages: ClassVar = ("openvino", "openvino-tokenizers", "nncf")
    keys: ClassVar = {
        "device": ("CPU", "GPU", "NPU", "AUTO"),
        "hint": tuple(_HINTS),
        "precision-hint": ("f32", "bf16", "f16"),
        "requests": ("auto", "sync", "2", "4"),
        "batch": (),
        "threads": (),
        "shape": (),
    }

    device: str = "CPU"
    properties: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None
    threads: int | None = None
    requests: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    batch: int | None = None
    feed: Feed = "each"
    cache_dir: str | None = None
    single_call: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.requests is not None and self.requests < 0:
            raise OptionError(
                f"{self.requests} infer requests cannot be in flight.",
                "Use a number from 1, or 0 for the device's optimal number.",
            )
        texts = {key: str(value) for key, value in self.properties.items()}
        object.__setattr__(self, "properties", texts)

    @property
    def asynchronous(self) -> bool:
        return self.requests is not None

    def check_model(self, model: str) -> None:
        compiled = model.endswith(SUFFIX)
        if (self.single_call or compiled) and (self.shapes or self.batch):
            cause = "has been compiled" if compiled else "is read and compiled in a single call"
            raise OptionError(
                f"A model that {cause} keeps its shapes.",
                "Leave out shapes and batch, or give the model's own file and no single_call.",
            )

    @staticmethod
    def written_out(key: str, value: str) -> tuple[str, str]:
        """A setting on the command line as a property where it is short for one; others as they are.

        :raises OptionError: a value that the shorthand does not have.
        """
        if key == "hint":
            if value not in _HINTS:
                raise OptionError(f"There is no hint {value!r}.", f"Use one of: {', '.join(_HINTS)}.")
            return "PERFORMANCE_HINT", _HINTS[value]
        return ("INFERENCE_PRECISION_HINT" if key == "precision-hint" else key), value

    @classmethod
    def from_texts(cls, settings: Mapping[str, str]) -> OpenVINO:
        common = super().from_texts(settings)
        properties = {key: value for key, value in settings.items() if key.isupper() and value}
        return replace(
            common,
            device=settings.get("device", "CPU"),
            properties=properties,
            requests=_parse_requests(settings.get("requests"), properties),
            batch=parse_number("batch", settings["batch"]) if "batch" in settings else None,
        )

    def runner(self, spec: dict[str, Any]) -> OpenVINORunner:
        return OpenVINORunner(self, spec)


def _parse_requests(value: str | None, properties: Mapping[str, str]) -> int | None:
    """None for synchronous calls, zero for the device's optimal number."""
    if value is None:
        # A device that is told to go for throughput prepares for several requests; one after another would
        # measure a configuration that nobody deploys.
        return 0 if properties.get("PERFORMANCE_HINT") in _QUEUED else None
    if value in ("auto", "sync"):
        return 0 if value == "auto" else None
    return parse_number("requests", value, ("auto", "sync"))


class OpenVINORunner(Runner[OpenVINO]):
    """Reads, reshapes and compiles a model; ``queue`` is set for asynchronous variants."""

    _keeps_no_cache = False
    _mapping: Any = None  # of a blob that the compiled model reads its weights from

    def load(self) -> None:
        with self.stage("import"):
            import openvino

            core = openvino.Core()  # looks for devices: part of what an application starts with
        self._openvino = openvino
        path = Path(self.spec["model"])
        if self.settings.single_call:
            self.stages["read"] = 0.0  # part of compiling, if it happens at all
            source: Any = self.spec["model"]
        else:
            with self.stage("read"):
                source = self._blob(path) if path.suffix == SUFFIX else self._read(core, path)
        with self.stage("compile"):
            self.compiled = self._compile(core, source)
        self._keeps_no_cache = hasattr(source, "get_sinks") and not _keeps_cache(source)
        refuse_unbatched(self.settings.device, self.compiled)
        ports = enumerate(self.compiled.inputs)
        self.specs = {port_name(port, index): _spec(port, index) for index, port in ports}
        self.sets = self.input_sets(self.specs)
        for arrays in self.sets:
            refuse_other_types(arrays, {name: dtype for name, (_, dtype) in self.specs.items()})
        self.frames = self.settings.batch or frames_of(self.sets[0].values())
        self._bind()

    def _blob(self, path: Path) -> Any:
        mapped = self.settings.properties.get("ENABLE_MMAP", "YES") == "YES"
        blob = read_blob(path, mapped=mapped)
        self._mapping = blob if mapped else None  # has to outlive the model
        return blob

    def _read(self, core: Any, path: Path) -> Any:
        # Mapping is decided now: OpenVINO also takes the property once a model has been read, and ignores it.
        early = {key: value for key, value in self.settings.properties.items() if key == "ENABLE_MMAP"}
        model = read_model(core, path, early)
        reshape(model, self.settings.shapes)
        if self.settings.batch is not None:
            set_batch(model, self.settings.batch)
        for index, port in enumerate(model.inputs):
            if port.partial_shape.is_dynamic and not self.spec["inputs"]:
                raise dynamic_shape(port_name(port, index), port.partial_shape)
        return model

    def _compile(self, core: Any, source: Any) -> Any:
        config = dict(self.settings.properties)
        if self.settings.precision is not None:
            config.setdefault("INFERENCE_PRECISION_HINT", self.settings.precision)
        if self.settings.threads is not None:
            config.setdefault("INFERENCE_NUM_THREADS", str(self.settings.threads))
        if self.settings.cache_dir is not None:
            config.setdefault("CACHE_DIR", self.settings.cache_dir)
        device = self.settings.device
        refuse_absent(core, device)
        path = Path(self.spec["model"])
        imported = path.suffix == SUFFIX
        try:
            refuse_unknown(core, device, config)
            return (core.import_model if imported else core.compile_model)(source, device, config)
        except RuntimeError as error:
            refusal = not_compiled(core, device, config, error)
            if imported and isinstance(refusal, ModelError):
                refusal = not_imported(path, error)
            raise refusal from error

    def _bind(self) -> None:
        """Make the callables: inputs handed over with each call, or set once beforehand."""
        preset = self.settings.feed == "preset"
        requests = self.settings.requests
        if requests is not None:
            self.queue = self._openvino.AsyncInferQueue(self.compiled, requests)
            for request, index in zip(self.queue, range(len(self.queue)), strict=True):
                self._set(request, self.sets[index % len(self.sets)])
        if not preset:
            self.calls = [partial(self.compiled, list(arrays.values())) for arrays in self.sets]
            return
        for arrays in self.sets:
            request = self.compiled.create_infer_request()
            self._set(request, arrays)
            self.calls.append(request.infer)

    def _set(self, request: Any, arrays: Arrays) -> None:
        for index, array in enumerate(arrays.values()):
            try:
                request.set_input_tensor(index, self._openvino.Tensor(np.ascontiguousarray(array)))
            except RuntimeError as error:
                raise misfit(telling_line(error)) from error

    def outputs(self) -> Outputs:
        try:
            return super().outputs()
        except (RuntimeError, TypeError) as error:
            raise misfit(telling_line(error)) from error

    def effective(self) -> dict[str, str]:
        properties: dict[str, str] = {}
        of_devices: dict[str, str] = {}
        for key in self.compiled.get_property("SUPPORTED_PROPERTIES"):
            if key == "SUPPORTED_PROPERTIES":
                continue
            try:
                value = self.compiled.get_property(key)
            except (RuntimeError, TypeError):  # some devices list properties they then refuse
                continue
            if isinstance(value, dict):
                of_devices |= _of_devices(value)
            else:
                properties[key] = property_text(value)
        if self.queue is not None:
            properties["requests in flight"] = str(len(self.queue))
        properties = of_devices | properties
        if self._keeps_no_cache:
            properties |= dict.fromkeys(properties.keys() & KEY_VALUE_CACHE_PROPERTIES, "unused")
        return properties

    def versions(self) -> dict[str, str]:
        return {"openvino": self._openvino.__version__}

    def feeds(self) -> list[Any]:
        preset = self.settings.feed == "preset"
        return [] if preset else [list(arrays.values()) for arrays in self.sets]

    def layer_counter(self) -> LayerCounter:
        return LayerCounter(self)

    def blame(self, error: RuntimeError) -> Exception:
        return failed_running(self.settings.device, error)


def _keeps_cache(model: Any) -> bool:
    """Whether a model keeps keys and values between inferences, as those that generate text do."""
    paged = (node.get_type_name().startswith("PagedAttention") for node in model.get_ops())
    return bool(model.get_sinks()) or any(paged)


def _spec(port: Any, index: int) -> InputSpec:
    shape = port.partial_shape
    static = tuple(shape.to_shape()) if shape.is_static else ()
    return static, np.dtype(port.element_type.to_dtype())


def property_text(value: Any) -> str:
    """A property's value as OpenVINO would take it back."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if hasattr(value, "get_type_name"):  # ov.Type
        return str(value.get_type_name())
    if hasattr(value, "name"):
        return str(value.name)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)


def _of_devices(properties: Mapping[str, Any]) -> dict[str, str]:
    """What the devices behind a virtual one resolved; with several, under names like ``GPU.NUM_STREAMS``."""
    return {
        key if len(properties) == 1 else f"{device}.{key}": property_text(value)
        for device, resolved in properties.items()
        if isinstance(resolved, dict)
        for key, value in resolved.items()
        if key != "SUPPORTED_PROPERTIES"
    }
