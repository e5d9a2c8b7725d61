"""What is measured, as plain data.

A :class:`Variant` holds no live object, so it can be measured in another process, by another
interpreter or on another machine, and it can be written beside its result as evidence.
"""

from __future__ import annotations

import base64
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from optguide.errors import OptionError

__all__ = ["Feed", "Runtime", "Variant", "require_unique_names"]

Runtime = Literal["openvino", "onnxruntime", "torch", "torch.compile", "tensorflow", "function"]
Feed = Literal["each", "preset"]


@dataclass(frozen=True)
class Variant:
    """One way to run one model.

    :param name: what tables and figures call it; unique within a session.
    :param runtime: which runner executes it.
    :param model: a model file, or ``package.module:function`` for ``torch`` and ``torch.compile``
        (the function takes no argument and returns an ``nn.Module``, or a tuple that begins with one).
        A ``.blob`` is a compiled model that OpenVINO exported; it is mapped into memory, or copied where the
        property ``ENABLE_MMAP`` is ``NO``.
    :param device: OpenVINO device name.
    :param properties: OpenVINO properties, as strings (``{"PERFORMANCE_HINT": "THROUGHPUT"}``).
    :param precision: inference precision to pin (``"f32"``); ``None`` leaves the runtime's default.
    :param threads: inference threads to pin; ``None`` leaves the runtime's default.
    :param requests: infer requests in flight. ``None`` is one synchronous call after another; a number
        is an ``AsyncInferQueue`` of that size; ``0`` is a queue of the size the device calls optimal.
    :param inputs: ``.npz`` files, one set of named inputs each, used in turn. Empty: random values
        drawn from ``seed``.
    :param shapes: input name to static shape, applied before compilation.
    :param batch: batch size to reshape to; ``None`` leaves the model's.
    :param feed: ``"each"`` hands the inputs over with every call, as an application does;
        ``"preset"`` sets them once, as ``benchmark_app`` does.
    :param cache_dir: OpenVINO model cache folder.
    :param single_call: hand the file to OpenVINO's ``compile_model`` instead of reading it first; it is then
        read only if the model cache does not have it.
    :param interpreter: Python executable of an isolated environment; ``None`` is this one.
    :param environment: extra environment variables of the worker.
    :param cores: how many of the cores the worker may run on, as with ``docker run --cpuset-cpus``.
    :param quota: CPU time that the worker may use per second, in cores, as with ``docker run --cpus``; it
        sees all cores all the same.
    :param function: payload of :meth:`from_function`.
    :param seed: seed of random inputs.
    :param frames: inputs that one call processes, where the model's batch does not tell (functions).
    """

    name: str
    runtime: Runtime = "openvino"
    model: str = ""
    device: str = "CPU"
    properties: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None
    threads: int | None = None
    requests: int | None = None
    inputs: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    batch: int | None = None
    feed: Feed = "each"
    cache_dir: str | None = None
    single_call: bool = False
    interpreter: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    cores: int | None = None
    quota: float | None = None
    function: str | None = None
    seed: int = 0
    frames: int = 1

    def __post_init__(self) -> None:
        if not self.name:
            raise OptionError("A variant needs a name.", "Give each variant a short, unique name.")
        if self.requests is not None and self.requests < 0:
            raise OptionError(
                f"{self.requests} infer requests cannot be in flight.",
                "Use a number from 1, or 0 for the device's optimal number.",
            )
        for what in ("batch", "threads", "frames", "cores"):
            number = getattr(self, what)
            if number is not None and number < 1:
                raise OptionError(f"{what} {number} is not possible.", f"Use a {what} from 1.")
        if self.quota is not None and not self.quota > 0:
            raise OptionError(f"A quota of {self.quota:g} cores runs nothing.", "Use a quota above zero.")
        compiled = os.fspath(self.model).endswith(".blob")
        if (self.single_call or compiled) and (self.shapes or self.batch):
            what = "has been compiled" if compiled else "is read and compiled in a single call"
            raise OptionError(
                f"A model that {what} keeps its shapes.",
                "Leave out shapes and batch, or give the model's own file and no single_call.",
            )
        self._refuse_what_would_be_ignored()
        object.__setattr__(self, "model", os.fspath(self.model))
        object.__setattr__(self, "inputs", tuple(os.fspath(path) for path in self.inputs))
        object.__setattr__(self, "properties", {k: str(v) for k, v in self.properties.items()})
        object.__setattr__(self, "shapes", {k: tuple(v) for k, v in self.shapes.items()})

    def _refuse_what_would_be_ignored(self) -> None:
        """Settings of OpenVINO on another runtime: the result would be labelled with what was never set."""
        if self.runtime == "openvino":
            return
        ignored = {
            "device": self.device != "CPU",
            "properties": bool(self.properties),
            "precision": self.precision not in {None, "f32"},  # the other runtimes run models as they are
            "requests": self.requests is not None,
            "batch": self.batch is not None,
            "shapes": bool(self.shapes) and self.runtime != "onnxruntime",
            "feed": self.feed != "each",
            "cache_dir": self.cache_dir is not None,
        }
        if wrong := [name for name, given in ignored.items() if given]:
            raise OptionError(
                f"{self.name!r} runs on {self.runtime}, which has no {wrong[0]} to set.",
                "Leave it out, or use the runtime openvino.",
            )

    @classmethod
    def from_function(
        cls, name: str, make: Callable[[], Callable[[], Any]], *, frames: int = 1, **fields: Any
    ) -> Variant:
        """A variant whose subject is the code itself: a call style, a pipeline.

        ``make`` runs once in the worker and returns the callable to time. It is shipped by value, so a
        function written in an example is timed exactly as it is read there.

        :param frames: how many inputs one call of the returned callable processes.
        """
        import cloudpickle

        # Left alone, cloudpickle ships a function by its name where its module can be imported in this
        # process, which says nothing about the worker.
        module = inspect.getmodule(make) if inspect.isfunction(make) else None
        if module is not None:
            cloudpickle.register_pickle_by_value(module)
        try:
            payload = base64.b64encode(cloudpickle.dumps(make)).decode("ascii")
        finally:
            if module is not None:
                cloudpickle.unregister_pickle_by_value(module)
        return cls(name, runtime="function", function=payload, frames=frames, **fields)

    def with_(self, name: str, **changes: Any) -> Variant:
        """A copy under another name with some fields changed."""
        return replace(self, name=name, **changes)

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """JSON-ready fields; with ``evidence`` only what a reader of the record needs."""
        data = asdict(self)
        if evidence:
            data["function"] = "the function in the example" if self.function else None
            unused: tuple[object, ...] = (None, "", {}, ())
            data = {k: value for k, value in data.items() if value not in unused and value is not False}
        return data


def require_unique_names(variants: Sequence[Variant], what: str) -> None:
    """Refuse what results, which go by name, could not tell apart.

    :param what: needs them, at the start of a sentence: ``"A session"``.
    :raises OptionError: there are no variants, or two have one name.
    """
    if not variants or len({variant.name for variant in variants}) != len(variants):
        raise OptionError(f"{what} needs variants with different names.", "Give each one a name of its own.")
