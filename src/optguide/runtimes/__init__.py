"""The runtimes that can execute a variant: one module each, and one line in :data:`RUNTIMES`."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optguide.errors import OptionError

if TYPE_CHECKING:
    from optguide.runtimes.base import Runner, Runtime


RUNTIMES = (
    "optguide.runtimes.openvino:OpenVINO",
    "optguide.runtimes.onnxruntime:ONNXRuntime",
    "optguide.runtimes.torch:PyTorch",
    "optguide.runtimes.tensorflow:TensorFlow",
    "optguide.runtimes.litert:LiteRT",
    "optguide.runtimes.function:Function",
)
"""Where the settings class of each runtime lives; ``optguide`` exports it under its own name."""


@functools.cache
def runtime_classes() -> tuple[type[Runtime], ...]:
    """The classes that :data:`RUNTIMES` names. Importing them needs NumPy, and no framework."""
    return tuple(pkgutil.resolve_name(place) for place in RUNTIMES)


@functools.cache
def _by_name() -> dict[str, tuple[type[Runtime], Mapping[str, Any]]]:
    return {
        name: (runtime, preset) for runtime in runtime_classes() for name, preset in runtime.names.items()
    }


def named(name: str) -> tuple[type[Runtime], Mapping[str, Any]]:
    """The class of the runtime called ``name``, and the settings that the name implies."""
    try:
        return _by_name()[name]
    except KeyError:
        raise OptionError(f"There is no runtime {name!r}.", f"Use one of: {', '.join(_by_name())}.") from None


def runner_for(spec: Mapping[str, Any]) -> Runner[Any]:
    """The runner for a variant, not yet loaded.

    :param spec: the result of :meth:`optguide.bench.variant.Variant.to_dict`, also read back from JSON.
    """
    runtime, _ = named(spec["runtime"])
    return runtime.from_dict(spec).runner(dict(spec))
