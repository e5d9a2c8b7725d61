"""OpenVINO, one synchronous call after another or an ``AsyncInferQueue``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from optguide.errors import DeviceError, InputError, ModelError, PropertyError
from optguide.measuring.worker.inputs import Arrays, InputSpec
from optguide.measuring.worker.runner import Outputs, Runner, as_arrays

__all__ = ["OpenVINORunner", "create"]


class OpenVINORunner(Runner):
    """Reads, reshapes and compiles a model; ``queue`` is set for asynchronous variants."""

    queue: Any = None

    def load(self) -> None:
        with self.stage("import"):
            import openvino

        self._openvino = openvino
        core = openvino.Core()
        with self.stage("read"):
            model = self._read(core)
            self._reshape(model)
        with self.stage("compile"):
            self.compiled = self._compile(core, model)
        self.specs = {_name(port, index): _spec(port, index) for index, port in enumerate(model.inputs)}
        self.sets = self.input_sets(self.specs)
        if self.spec["batch"] is not None:
            self.frames = self.spec["batch"]
        else:
            self.frames = _batch_of(model, self.sets[0])
        self._bind()

    def _read(self, core: Any) -> Any:
        path = Path(self.spec["model"])
        try:
            if path.suffix == ".pt2":
                import torch

                return self._openvino.convert_model(torch.export.load(path))
            return core.read_model(path)
        except Exception as error:
            raise ModelError(
                f"{path.name} cannot be read: {_first_line(error)}",
                "Check that the file is complete; an IR needs its .bin beside the .xml.",
            ) from error

    def _reshape(self, model: Any) -> None:
        shapes = self.spec["shapes"]
        names = [_name(port, index) for index, port in enumerate(model.inputs)]
        if unknown := sorted(set(shapes) - set(names)):
            raise InputError(
                f"The model has no input {unknown[0]!r}; its inputs are {', '.join(names)}.",
                "Give --shape with one of those names.",
            )
        try:
            if shapes:
                ports = zip(names, model.inputs, strict=True)
                model.reshape({port: list(shapes[name]) for name, port in ports if name in shapes})
            if self.spec["batch"] is not None:
                _set_batch(self._openvino, model, self.spec["batch"])
        except RuntimeError as error:
            raise InputError(
                f"The model cannot take these shapes: {_first_line(error)}",
                "Choose a shape or batch that its layers allow.",
            ) from error
        for name, port in zip(names, model.inputs, strict=True):
            if port.partial_shape.is_dynamic and not self.spec["inputs"]:
                raise InputError(
                    f"Input {name!r} has the dynamic shape {port.partial_shape}.",
                    f"Pass a static one, such as --shape {name}=1,128, or --inputs with real data.",
                )

    def _compile(self, core: Any, model: Any) -> Any:
        config = dict(self.spec["properties"])
        if self.spec["precision"] is not None:
            config.setdefault("INFERENCE_PRECISION_HINT", self.spec["precision"])
        if self.spec["threads"] is not None:
            config.setdefault("INFERENCE_NUM_THREADS", str(self.spec["threads"]))
        if self.spec["cache_dir"] is not None:
            config.setdefault("CACHE_DIR", self.spec["cache_dir"])
        device = self.spec["device"]
        try:
            return core.compile_model(model, device, config)
        except RuntimeError as error:
            raise _explain(error, core.available_devices, device, config) from error

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
                raise _misfit(error) from error

    def outputs(self) -> Outputs:
        try:
            return as_arrays(self.calls[0]())
        except RuntimeError as error:
            raise _misfit(error) from error

    def effective(self) -> dict[str, str]:
        found = {}
        for key in self.compiled.get_property("SUPPORTED_PROPERTIES"):
            if key == "SUPPORTED_PROPERTIES":
                continue
            try:
                found[key] = _text(self.compiled.get_property(key))
            except (RuntimeError, TypeError):  # some devices list properties they then refuse
                continue
        if self.queue is not None:
            found["requests in flight"] = str(len(self.queue))
        return found

    def versions(self) -> dict[str, str]:
        return {"openvino": self._openvino.__version__}


def create(spec: dict[str, Any]) -> OpenVINORunner:
    """The runner for ``spec``, not yet loaded."""
    return OpenVINORunner(spec)


def _name(port: Any, index: int) -> str:
    names = sorted(port.get_names())
    return names[0] if names else f"input{index}"


def _spec(port: Any, index: int) -> InputSpec:
    shape = port.partial_shape
    static = tuple(shape.to_shape()) if shape.is_static else ()
    return static, np.dtype(port.element_type.to_dtype())


def _set_batch(openvino: Any, model: Any, batch: int) -> None:
    """Set the batch, assuming it is the first dimension where the model does not say."""
    for port in model.inputs:
        if not port.node.layout.empty or port.partial_shape.rank.get_length() == 0:
            continue
        dimensions = "N" + "?" * (port.partial_shape.rank.get_length() - 1)
        port.node.layout = openvino.Layout(dimensions)
    openvino.set_batch(model, batch)


def _batch_of(model: Any, arrays: Arrays) -> int:
    """First dimension of the first input where it can be a batch (rank of two or more), else 1."""
    first = next(iter(arrays.values()), None)
    return int(first.shape[0]) if first is not None and first.ndim > 1 and len(model.inputs) > 0 else 1


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if hasattr(value, "get_type_name"):  # ov.Type
        return str(value.get_type_name())
    if hasattr(value, "name"):
        return str(value.name)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)


def _first_line(error: BaseException) -> str:
    """The sentence a person can use: OpenVINO puts source locations around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '", "[ERROR]"))]
    return (telling or lines or [type(error).__name__])[-1][:300]


def _misfit(error: RuntimeError) -> InputError:
    return InputError(
        f"The inputs do not fit the model: {_first_line(error)}",
        "Check the shapes and element types in the .npz file.",
    )


def _explain(error: RuntimeError, available: list[str], device: str, config: dict[str, str]) -> Exception:
    """Say whether the device, a property or the model is to blame."""
    text = str(error)
    wanted = [part.split("(")[0] for part in device.rsplit(":", maxsplit=1)[-1].split(",")]
    present = (
        {name.split(".")[0] for name in available} | set(available) | {"AUTO", "MULTI", "HETERO", "BATCH"}
    )
    missing = [name for name in wanted if name.split(".")[0] not in present]
    if missing:
        return DeviceError(
            f"There is no device {missing[0]!r} here; OpenVINO finds {', '.join(available)}.",
            "Choose one of those with --device, or install the device's driver.",
        )
    for key, value in config.items():
        if key in text or f"'{value}'" in text:
            return PropertyError(
                f"{device} does not take {key}={value}: {_first_line(error)}",
                "Run `optguide machine --properties` for what the device supports.",
            )
    return ModelError(f"{device} cannot compile the model: {_first_line(error)}", "Try another device.")
