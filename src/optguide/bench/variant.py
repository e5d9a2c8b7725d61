"""What is measured, as plain data.

A :class:`Variant` holds no live object, so it can be measured in another process, by another
interpreter or on another machine, and it can be written beside its result as evidence.
"""

from __future__ import annotations

import base64
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from optguide.errors import OptGuideError, OptionError
from optguide.runtimes import named
from optguide.runtimes.base import Runtime
from optguide.runtimes.function import Function
from optguide.runtimes.openvino import OpenVINO

__all__ = ["Variant", "measured_of", "require_unique_names"]

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Variant:
    """One way to run one model.

    :param name: name in tables and figures; unique within a session.
    :param model: a model file, or what else the runtime reads.
    :param runtime: the runtime that executes the model, with its settings.
    :param inputs: ``.npz`` files, one set of named inputs each, used in turn. Empty: random values
        drawn from ``seed``.
    :param interpreter: Python executable of an isolated environment; ``None`` is this one.
    :param environment: extra environment variables of the worker.
    :param cores: how many of the cores the worker may run on, as with ``docker run --cpuset-cpus``.
    :param quota: CPU time that the worker may use per second, in cores, as with ``docker run --cpus``; it
        sees all cores all the same.
    :param seed: seed of random inputs.
    :param frames: inputs that one call processes; ``None`` leaves it to what the model tells, see
        ``optguide.runtimes.ports.count_frames``.
    """

    name: str
    model: str = ""
    runtime: Runtime = field(default_factory=OpenVINO)
    inputs: tuple[str, ...] = ()
    interpreter: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    cores: int | None = None
    quota: float | None = None
    seed: int = 0
    frames: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise OptionError("A variant needs a name.", "Give each variant a short, unique name.")
        for key in ("frames", "cores"):
            number = getattr(self, key)
            if number is not None and number < 1:
                raise OptionError(f"{key} {number} is not possible.", f"Use a {key} from 1.")
        if self.quota is not None and not self.quota > 0:
            raise OptionError(f"A quota of {self.quota:g} cores runs nothing.", "Use a quota above zero.")
        object.__setattr__(self, "model", os.fspath(self.model))
        object.__setattr__(self, "inputs", tuple(os.fspath(path) for path in self.inputs))
        self.runtime.check_model(self.model)

    @property
    def openvino(self) -> OpenVINO:
        """The settings of a variant that runs on OpenVINO.

        :raises OptionError: it runs on another runtime.
        """
        if not isinstance(self.runtime, OpenVINO):
            raise OptionError(
                f"{self.name!r} runs on {self.runtime.name}, and this is about OpenVINO.",
                "Leave it out, or use the runtime openvino.",
            )
        return self.runtime

    @classmethod
    def from_function(
        cls, name: str, make: Callable[[], Callable[[], Any]], *, frames: int = 1, **changes: Any
    ) -> Variant:
        """A variant whose subject is the code itself: a call style, a pipeline.

        ``make`` runs once in the worker and returns the callable to time. It is shipped by value, so a
        function written in an example is timed exactly as it is read there.

        :param frames: how many inputs one call of the returned callable processes.
        :param changes: other fields.
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
        return cls(name, runtime=Function(payload), frames=frames, **changes)

    def with_(self, name: str, **changes: Any) -> Variant:
        """A copy under another name with some fields, or some settings of its runtime, changed.

        :raises OptionError: the runtime has no such setting.
        """
        runtime = changes.pop("runtime", self.runtime)
        settings = {key: value for key, value in changes.items() if key not in _FIELDS}
        if unknown := [key for key in settings if key not in runtime.settings()]:
            raise OptionError(
                f"{name!r} runs on {runtime.name}, which has no {unknown[0]} to set.",
                "Leave it out, or use a runtime that has it.",
            )
        own = {key: value for key, value in changes.items() if key in _FIELDS}
        return replace(self, name=name, runtime=replace(runtime, **settings), **own)

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """JSON-ready fields and settings of the runtime side by side.

        :param evidence: only what a reader of the record needs.
        """
        data: dict[str, Any] = {"name": self.name, "runtime": self.runtime.name, "model": self.model}
        data |= self.runtime.to_dict(evidence=evidence)
        data |= {key: getattr(self, key) for key in _FIELDS if key not in data}
        if evidence:
            unset: tuple[object, ...] = (None, "", {}, ())
            data = {key: value for key, value in data.items() if value not in unset and value is not False}
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Variant:
        """The variant that :meth:`to_dict` described, also when it went through JSON."""
        runtime, _ = named(data["runtime"])
        own = {key: value for key, value in data.items() if key in _FIELDS}
        return cls(**own | {"runtime": runtime.from_dict(data)})


_FIELDS = tuple(field.name for field in fields(Variant))


def require_unique_names(variants: Sequence[Variant], owner: str) -> None:
    """Refuse what results, which go by name, could not tell apart.

    :param owner: begins the error's sentence, such as ``"A session"``.
    :raises OptionError: there are no variants, or two have one name.
    """
    if not variants or len({variant.name for variant in variants}) != len(variants):
        raise OptionError(f"{owner} needs variants with different names.", "Give each one a name of its own.")


def measured_of(
    name: str, measured: Mapping[str, Measured], failures: Mapping[str, OptGuideError]
) -> Measured:
    """What was measured of a variant.

    :raises OptGuideError: what ended it.
    :raises OptionError: it took no part.
    """
    if name in failures:
        raise failures[name]
    if name not in measured:
        raise OptionError(f"No variant {name!r} took part.", f"There are {', '.join(measured)}.")
    return measured[name]
