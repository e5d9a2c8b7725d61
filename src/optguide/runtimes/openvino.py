"""OpenVINO, one synchronous call after another or an ``AsyncInferQueue``.

Compiled models in files: what ``export_model`` wrote, ``import_model`` takes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from optguide.errors import EnvironmentMissing, InputError, ModelError
from optguide.runtimes import inputs
from optguide.runtimes.base import Outputs, Runner, frames_of, misfit
from optguide.runtimes.inputs import Arrays, InputSpec
from optguide.runtimes.openvino_errors import (
    failed_running,
    not_compiled,
    not_read,
    refuse_absent,
    refuse_unbatched,
    refuse_unknown,
    telling_line,
)

__all__ = [
    "SUFFIX",
    "OpenVINORunner",
    "create",
    "exported",
    "not_imported",
    "port_name",
    "property_text",
    "read",
    "set_batch",
]


class OpenVINORunner(Runner):
    """Reads, reshapes and compiles a model; ``queue`` is set for asynchronous variants."""

    queue: Any = None
    _mapping: Any = None  # of a blob that the compiled model reads its weights from

    def load(self) -> None:
        with self.stage("import"):
            import openvino

            core = openvino.Core()  # looks for devices: part of what an application starts with
        self._openvino = openvino
        path = Path(self.spec["model"])
        if self.spec["single_call"]:
            self.stages["read"] = 0.0  # part of compiling, if it happens at all
            source: Any = self.spec["model"]
        else:
            with self.stage("read"):
                source = self._blob(path) if path.suffix == SUFFIX else self._read(core, path)
        with self.stage("compile"):
            self.compiled = self._compile(core, source)
        refuse_unbatched(self.spec["device"], self.compiled)
        ports = enumerate(self.compiled.inputs)
        self.specs = {port_name(port, index): _spec(port, index) for index, port in ports}
        self.sets = self.input_sets(self.specs)
        for arrays in self.sets:
            _refuse_other_types(arrays, self.specs)
        if self.spec["batch"] is not None:
            self.frames = self.spec["batch"]
        else:
            self.frames = frames_of(next(iter(self.sets[0].values()))) if self.sets[0] else 1
        self._bind()

    def _blob(self, path: Path) -> Any:
        mapped = self.spec["properties"].get("ENABLE_MMAP", "YES") == "YES"
        blob = read(self._openvino, path, mapped=mapped)
        self._mapping = blob if mapped else None  # has to outlive the model
        return blob

    def _read(self, core: Any, path: Path) -> Any:
        # Mapping is decided now: OpenVINO also takes the property once a model has been read, and ignores it.
        early = {key: value for key, value in self.spec["properties"].items() if key == "ENABLE_MMAP"}
        options = {"config": early} if early else {}
        try:
            unpickled = path.suffix == ".pt2"
            model = exported(self._openvino, path) if unpickled else core.read_model(path, **options)
        except EnvironmentMissing:
            raise
        except Exception as error:
            raise not_read(path, error) from error
        if not model.outputs:  # the Paddle reader takes any bytes for an empty model
            raise ModelError(
                f"{path.name} holds a model without outputs.", "Check that the file is complete."
            )
        self._reshape(model)
        return model

    def _reshape(self, model: Any) -> None:
        shapes = self.spec["shapes"]
        names = [port_name(port, index) for index, port in enumerate(model.inputs)]
        inputs.refuse_unknown(shapes, names)
        try:
            if shapes:
                ports = zip(names, model.inputs, strict=True)
                model.reshape({port: list(shapes[name]) for name, port in ports if name in shapes})
            if self.spec["batch"] is not None:
                set_batch(self._openvino, model, self.spec["batch"])
        except RuntimeError as error:
            asked = "these shapes" if shapes else f"a batch of {self.spec['batch']}"
            raise InputError(
                f"The model cannot take {asked}: {telling_line(error)}",
                "Choose a shape or batch that its layers allow.",
            ) from error
        for name, port in zip(names, model.inputs, strict=True):
            if port.partial_shape.is_dynamic and not self.spec["inputs"]:
                raise InputError(
                    f"Input {name!r} has the dynamic shape {port.partial_shape}.",
                    f"Pass a static one, such as --shape {name}=1,128, or --inputs with real data.",
                )

    def _compile(self, core: Any, source: Any) -> Any:
        config = dict(self.spec["properties"])
        if self.spec["precision"] is not None:
            config.setdefault("INFERENCE_PRECISION_HINT", self.spec["precision"])
        if self.spec["threads"] is not None:
            config.setdefault("INFERENCE_NUM_THREADS", str(self.spec["threads"]))
        if self.spec["cache_dir"] is not None:
            config.setdefault("CACHE_DIR", self.spec["cache_dir"])
        device = self.spec["device"]
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
        preset = self.spec["feed"] == "preset"
        requests = self.spec["requests"]
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
        found: dict[str, str] = {}
        behind: dict[str, str] = {}
        for key in self.compiled.get_property("SUPPORTED_PROPERTIES"):
            if key == "SUPPORTED_PROPERTIES":
                continue
            try:
                value = self.compiled.get_property(key)
            except (RuntimeError, TypeError):  # some devices list properties they then refuse
                continue
            if isinstance(value, dict):
                behind |= _of_devices(value)
            else:
                found[key] = property_text(value)
        if self.queue is not None:
            found["requests in flight"] = str(len(self.queue))
        return behind | found

    def versions(self) -> dict[str, str]:
        return {"openvino": self._openvino.__version__}

    def blame(self, error: RuntimeError) -> Exception:
        return failed_running(self.spec["device"], error)


def create(spec: dict[str, Any]) -> OpenVINORunner:
    """The runner for ``spec``, not yet loaded."""
    return OpenVINORunner(spec)


def port_name(port: Any, index: int) -> str:
    """What an input is called everywhere: the first of its names, or its number where it has none."""
    names = sorted(port.get_names())
    return names[0] if names else f"input{index}"


def _spec(port: Any, index: int) -> InputSpec:
    shape = port.partial_shape
    static = tuple(shape.to_shape()) if shape.is_static else ()
    return static, np.dtype(port.element_type.to_dtype())


def _refuse_other_types(arrays: Arrays, specs: Mapping[str, InputSpec]) -> None:
    """OpenVINO would convert them in every call without a word, and the time for it would count."""
    for name, (_, dtype) in specs.items():
        if arrays[name].dtype != dtype:
            raise misfit(f"{name!r} takes {dtype} and the file has {arrays[name].dtype}.")


def set_batch(openvino: Any, model: Any, batch: int) -> None:
    """Set the batch, assuming it is the first dimension where the model does not say."""
    for port in model.inputs:
        if not port.node.layout.empty or port.partial_shape.rank.get_length() == 0:
            continue
        dimensions = "N" + "?" * (port.partial_shape.rank.get_length() - 1)
        port.node.layout = openvino.Layout(dimensions)
    openvino.set_batch(model, batch)


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
    }


def exported(openvino: Any, path: Path) -> Any:
    """The model in a torch export, with the shapes it was exported for."""
    try:
        import torch
    except ImportError as error:
        raise EnvironmentMissing(
            "PyTorch, which reads .pt2 files, is not installed.", 'Run: pip install "optguide[frameworks]".'
        ) from error
    program = torch.export.load(path)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    shapes = [
        [size if isinstance(size, int) else -1 for size in values[name].shape]
        for name in program.graph_signature.user_inputs
    ]
    model = openvino.convert_model(program)
    model.reshape(dict(enumerate(openvino.PartialShape(shape) for shape in shapes)))
    return model


SUFFIX = ".blob"


def read(openvino: Any, path: Path, *, mapped: bool) -> Any:
    """The content of a blob, for ``import_model``.

    :param mapped: map the file into memory instead of copying it. The compiled model then uses those pages:
        the tensor has to live as long as the model, and the process crashes if it does not.
    :raises ModelError: the file is missing or empty.
    """
    try:
        if not mapped:
            return path.read_bytes()
        # Copy on write: OpenVINO shares only arrays that can be written, and the file must stay as it is.
        return openvino.Tensor(np.memmap(path, np.uint8, "c"), shared_memory=True)
    except (OSError, ValueError) as error:  # a file of no bytes cannot be mapped
        raise ModelError(
            f"{path.name} cannot be read: {telling_line(error)}", "Check the path, or export the model again."
        ) from error


def not_imported(path: Path, error: RuntimeError) -> ModelError:
    """The error for a blob that OpenVINO refused."""
    return ModelError(
        f"{path.name} cannot be imported: {telling_line(error)}",
        "Export it again, with the same version of OpenVINO and for the same device.",
    )
