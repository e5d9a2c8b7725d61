"""OpenVINO, one synchronous call after another or an ``AsyncInferQueue``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from optguide.errors import ModelError, OptionError
from optguide.openvino_release import KEY_VALUE_CACHE_PROPERTIES
from optguide.runtimes import devices, openvino_errors, openvino_models
from optguide.runtimes.base import Outputs, Runner, Runtime, misfit, parse_number
from optguide.runtimes.inputs import Arrays, numpy_type
from optguide.runtimes.openvino_errors import telling_line
from optguide.runtimes.openvino_layers import LayerCounter
from optguide.runtimes.openvino_models import SUFFIX, plain
from optguide.runtimes.ports import Port

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
    :param feed: ``"each"`` hands the inputs over with every call, as an application does; ``"copied"`` lets a
        synchronous call copy them, as ``infer`` does unless it is told to share them; ``"preset"`` sets them
        once, as ``benchmark_app`` does.
    :param cache_dir: folder of the model cache.
    :param single_call: hand the file to ``compile_model`` instead of reading it first; it is then read only
        if the model cache does not have it.
    :param steps: inferences of one call of a model that keeps a state, which is reset before each call;
        ``None`` is one.
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
    distribution: ClassVar = "openvino"
    keys: ClassVar = {
        "device": ("CPU", "GPU", "NPU", "AUTO"),
        "hint": tuple(_HINTS),
        "precision-hint": ("f32", "bf16", "f16"),
        "requests": ("auto", "sync", "2", "4"),
        "batch": (),
        "threads": (),
        "shape": (),
        "feed": ("each", "copied", "preset"),
        "steps": (),
        "openvino": (),
    }

    device: str = "CPU"
    properties: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None
    threads: int | None = None
    requests: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    batch: int | None = None
    feed: str = "each"
    cache_dir: str | None = None
    single_call: bool = False
    steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.requests is not None and self.requests < 0:
            raise OptionError(
                f"{self.requests} infer requests cannot be in flight.",
                "Use a number from 1, or 0 for the device's optimal number.",
            )
        if self.feed not in self.keys["feed"]:
            raise OptionError(f"feed={self.feed} is not possible.", f"Use {', '.join(self.keys['feed'])}.")
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
            feed=settings.get("feed", "each"),
            steps=parse_number("steps", settings["steps"]) if "steps" in settings else None,
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
    stateful = False

    def __init__(self, settings: OpenVINO, spec: dict[str, Any]) -> None:
        super().__init__(settings, spec)
        self._constants: list[Any] = []

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
        openvino_errors.refuse_unbatched(self.settings.device, self.compiled)
        self.ports = openvino_models.ports_of(self.compiled.inputs)
        self.output_names = [sorted(port.get_names()) for port in self.compiled.outputs]
        self.sets = self.input_sets(self.settings.shapes)
        self._bind()

    def _blob(self, path: Path) -> Any:
        mapped = self.settings.properties.get("ENABLE_MMAP", "YES") == "YES"
        blob = openvino_models.read_blob(path, mapped=mapped)
        self._mapping = blob if mapped else None  # has to outlive the model
        return blob

    def _read(self, core: Any, path: Path) -> Any:
        # Mapping is decided now: OpenVINO also takes the property once a model has been read, and ignores it.
        early = {key: value for key, value in self.settings.properties.items() if key == "ENABLE_MMAP"}
        model = openvino_models.read_model(core, path, early)
        openvino_models.reshape(model, self.settings.shapes)
        openvino_models.reject_open_rank(model)
        if self.settings.batch is not None:
            openvino_models.set_batch(model, self.settings.batch)
        if not self.spec["inputs"] and openvino_models.close_batch(model):
            self.note("The batch is open and was set to 1.")
        return model

    def _compile(self, core: Any, source: Any) -> Any:
        settings, device = self.settings, self.settings.device
        fields = {
            "INFERENCE_PRECISION_HINT": settings.precision,
            "INFERENCE_NUM_THREADS": settings.threads,
            "CACHE_DIR": settings.cache_dir,
        }
        config = {key: str(value) for key, value in fields.items() if value is not None}
        config |= settings.properties
        openvino_errors.refuse_absent(core, device)
        path = Path(self.spec["model"])
        imported = path.suffix == SUFFIX
        try:
            openvino_errors.refuse_unknown(core, device, config)
            return (core.import_model if imported else core.compile_model)(source, device, config)
        except RuntimeError as error:
            refusal = openvino_errors.not_compiled(core, device, config, error)
            if imported and isinstance(refusal, ModelError):
                refusal = openvino_errors.not_imported(path, error)
            raise refusal from error

    def _bind(self) -> None:
        """Make the callables: inputs handed over with each call, or set once beforehand."""
        self._steps = self.settings.steps or 1
        self._feeds = [self.handed_over(arrays) for arrays in self.sets]
        requests = self.settings.requests
        # Before any other request: automatic batching puts requests into batches in the order they were made,
        # and a batch that lacks one waits for its time-out with every inference.
        queue = None if requests is None else self._openvino.AsyncInferQueue(self.compiled, requests)
        self._request = self.compiled.create_infer_request()
        self.stateful = bool(self._request.query_state())
        self._refuse_steps()
        if queue is not None:
            for slot, index in zip(queue, range(len(queue)), strict=True):
                self._set(slot, self._feeds[index % len(self._feeds)])
            self.queue = _ResettingQueue(queue) if self.stateful else queue
        if self.stateful:
            steps = self._steps
            sequence = f"call, a sequence of {steps} inferences" if steps > 1 else "inference"
            self.note(f"The model keeps a state, which is reset before each {sequence}.")
        self.calls = [self._call(index) for index in range(len(self._feeds))]

    def _refuse_steps(self) -> None:
        steps = self._steps
        if steps > 1 and not self.stateful:
            raise OptionError(
                f"{self.spec['name']!r} keeps no state, so {steps} steps are single inferences.",
                "Leave out --steps.",
            )
        if steps > 1 and self.settings.requests is not None:
            raise OptionError(
                "Steps of a sequence follow each other, and several requests in flight do not.",
                "Give --requests sync with --steps.",
            )

    def handed_over(self, arrays: Arrays) -> list[Any]:
        """One input set as the requests take it: arrays, or tensors where NumPy lacks the element type."""
        return [self._handed_over(port, arrays[port.name]) for port in self.ports]

    def _handed_over(self, port: Port, array: Any) -> Any:
        if port.dtype == "str" or numpy_type(port) is not None:
            return np.asarray(array, order="C")
        # A float16 array would be taken for the bits of bfloat16. All these types fit into 32-bit floats.
        from openvino import opset13

        values = np.asarray(array, np.float32)
        out_of_range = misfit(f"{port.name!r} takes {port.dtype}, which does not hold all of these numbers.")
        try:
            constant = opset13.constant(values, getattr(self._openvino.Type, port.dtype))
        except RuntimeError as error:
            raise out_of_range from error
        self._constants.append(constant)  # its tensor does not keep it alive
        tensor = constant.get_tensor_view()
        if array.dtype.kind in "iub" and not np.array_equal(plain(tensor), values):
            raise out_of_range
        return tensor

    def bound(self, arrays: Arrays) -> Callable[[], Any]:
        return self._sequence(self._request, [self.handed_over(arrays)])

    def _call(self, index: int) -> Callable[[], Any]:
        """The call that begins with an input set: one inference, or a sequence with the sets in turn."""
        if self.settings.feed == "preset" and self._steps == 1:
            request = self.compiled.create_infer_request()
            self._set(request, self._feeds[index])
            return self._sequence(request, [None])
        count = len(self._feeds)
        feeds = [self._feeds[(index + step) % count] for step in range(self._steps)]
        return self._sequence(self._request, feeds)

    def _sequence(self, request: Any, feeds: Sequence[Any]) -> Callable[[], Any]:
        """One inference after another; ``None`` leaves the inputs that the request has."""
        shared = self.settings.feed != "copied"
        calls = [partial(request.infer, feed, share_inputs=shared) for feed in feeds]
        if not self.stateful:
            return calls[0]

        def call() -> Any:
            request.reset_state()
            for infer in calls:
                outputs = infer()
            return outputs

        return call

    def frames(self, outputs: Outputs) -> tuple[int, str]:
        count, reason = super().frames(outputs)
        if self.spec["frames"] is not None:
            return count, reason
        if self.settings.batch is not None:
            count, reason = self.settings.batch, "--batch"
        return (count * self._steps, "--steps") if self._steps > 1 else (count, reason)

    def _set(self, request: Any, feed: Sequence[Any]) -> None:
        for index, part in enumerate(feed):
            tensor = self._openvino.Tensor
            try:
                request.set_input_tensor(index, part if isinstance(part, tensor) else tensor(part))
            except RuntimeError as error:
                raise misfit(telling_line(error)) from error

    def answer(self, arrays: Arrays) -> Outputs:
        try:
            self.bound(arrays)()
        except (RuntimeError, TypeError, ValueError) as error:
            raise misfit(telling_line(error)) from error
        return [plain(self._request.get_output_tensor(index)) for index in range(len(self.compiled.outputs))]

    def effective(self) -> dict[str, str]:
        properties = devices.resolved_properties(self.compiled.get_property)
        if self.queue is not None:
            properties["requests in flight"] = str(len(self.queue))
        if self._keeps_no_cache:
            properties |= dict.fromkeys(properties.keys() & KEY_VALUE_CACHE_PROPERTIES, "unused")
        return properties

    def versions(self) -> dict[str, str]:
        return {"openvino": self._openvino.__version__}

    def feeds(self) -> list[Any]:
        return [] if self.settings.feed == "preset" else self._feeds

    def again(self) -> Callable[[], Any] | None:
        return None if self.stateful else partial(self._request.infer, None, share_inputs=True)

    def inference_seconds(self) -> float:
        return float(self._request.latency) / 1e3

    def layer_counter(self) -> LayerCounter:
        return LayerCounter(self)

    def blame(self, error: RuntimeError) -> Exception:
        return openvino_errors.failed_running(self.settings.device, error)


class _ResettingQueue:
    """An ``AsyncInferQueue`` that resets the state of a request before it starts."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __len__(self) -> int:
        return len(self._queue)

    def __getitem__(self, index: int) -> Any:
        return self._queue[index]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def start_async(self, inputs: Any = None, userdata: Any = None) -> None:
        """Wait for a free request, which is then the one that is started."""
        self._queue[self._queue.get_idle_request_id()].reset_state()
        self._queue.start_async(inputs, userdata)


def _keeps_cache(model: Any) -> bool:
    """Whether a model keeps keys and values between inferences, as those that generate text do."""
    paged = (node.get_type_name().startswith("PagedAttention") for node in model.get_ops())
    return bool(model.get_sinks()) or any(paged)
