"""One language for settings, in options and on variants: a mapping of names to texts.

Names in capitals are OpenVINO properties. The others are the options' own names, with ``shape.<input>`` for
the shape of one input. What the options say holds for all variants; a variant's own settings win.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from optguide.errors import OptionError
from optguide.measuring.variant import Runtime, Variant

__all__ = ["OWN_NAMES", "assign", "canonical", "for_runtime", "to_variant"]

OWN_NAMES = (
    *("device", "hint", "precision-hint", "requests", "batch", "threads", "inputs", "shape.<input>"),
    *("runtime", "name"),
)
"""Settings besides OpenVINO's properties."""

RUNTIMES = tuple(
    name for name in get_args(Runtime) if name not in ("function", "tensorflow")
)  # those need code or an environment that a command line cannot give

_HINTS = {
    "latency": "LATENCY",
    "throughput": "THROUGHPUT",
    "cumulative": "CUMULATIVE_THROUGHPUT",
    "none": "",
}
_QUEUED = ("THROUGHPUT", "CUMULATIVE_THROUGHPUT")

# What runtimes other than OpenVINO have a counterpart for.
_ELSEWHERE = {"onnxruntime": ("name", "inputs", "threads", "shape"), "torch": ("name", "inputs", "threads")}
_ELSEWHERE["torch.compile"] = _ELSEWHERE["torch"]


def assign(pairs: Sequence[str], where: str) -> dict[str, str]:
    """Split ``KEY=VALUE`` texts.

    :raises OptionError: one has no key or value, or a key comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise OptionError(
                f"{pair!r} in {where} is not of the form KEY=VALUE.", "Write a name and a value."
            )
        if key in found:
            raise OptionError(f"{where} sets {key} twice.", "Keep one of the values.")
        found[key] = value
    return found


def canonical(settings: Mapping[str, str]) -> dict[str, str]:
    """``settings`` with the shorthands for properties written out; an empty value takes a property back.

    :raises OptionError: a name that is no setting.
    """
    done: dict[str, str] = {}
    for key, value in settings.items():
        if key == "hint":
            done["PERFORMANCE_HINT"] = _choice(key, value, _HINTS)
        elif key == "precision-hint":
            done["INFERENCE_PRECISION_HINT"] = value
        elif _is_property(key) or key in OWN_NAMES or (key.startswith("shape.") and len(key) > 6):
            done[key] = value
        else:
            close = difflib.get_close_matches(key.lower(), OWN_NAMES, n=1)
            raise OptionError(
                f"{key!r} is no setting of a variant.",
                f"Did you mean {close[0]}?"
                if close
                else f"Use {', '.join(OWN_NAMES)}, or an OpenVINO property in capitals.",
            )
    return done


def for_runtime(runtime: str, common: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Both kinds of settings together, as far as ``runtime`` has them.

    OpenVINO's device and properties in the common settings concern OpenVINO variants only. Whatever changes
    the work that is done has to hold for all variants or for none, so it is refused here.

    :raises OptionError: the runtime is unknown or lacks a setting.
    """
    _choice("runtime", runtime, {name: name for name in RUNTIMES})
    if runtime == "openvino":
        return {**common, **own}
    known = (*_ELSEWHERE[runtime], "runtime")
    for key in own:
        if key.split(".")[0] not in known:
            raise OptionError(f"The runtime {runtime} has no setting {key}.", f"It has {', '.join(known)}.")
    for key in ("batch", "requests"):
        if key in common:
            raise OptionError(
                f"--{key} is for OpenVINO, and a variant runs with {runtime}.",
                f"Write it on the OpenVINO variants instead: model.xml@{key}={common[key]}.",
            )
    return {key: value for key, value in common.items() if key.split(".")[0] in known} | dict(own)


def to_variant(name: str, model: str, settings: Mapping[str, str]) -> Variant:
    """The variant that canonical ``settings`` describe.

    :raises OptionError: a value that cannot be used.
    """
    properties = {key: value for key, value in settings.items() if _is_property(key) and value}
    fields: dict[str, Any] = {
        key: _number(key, settings[key]) for key in ("batch", "threads") if key in settings
    }
    return Variant(
        name,
        runtime=settings.get("runtime", "openvino"),  # type: ignore[arg-type] # checked by for_runtime
        model=model,
        device=settings.get("device", "CPU"),
        properties=properties,
        requests=_requests(settings.get("requests"), properties),
        inputs=tuple(settings["inputs"].split(",")) if "inputs" in settings else (),
        shapes={key[6:]: _shape(key, value) for key, value in settings.items() if key.startswith("shape.")},
        **fields,
    )


def _is_property(key: str) -> bool:
    return key.isupper()


def _choice(key: str, value: str, choices: Mapping[str, str]) -> str:
    try:
        return choices[value]
    except KeyError:
        raise OptionError(f"There is no {key} {value!r}.", f"Use one of: {', '.join(choices)}.") from None


def _number(key: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise OptionError(f"{key}={value} is not possible.", "Use a whole number from 1.")
    return int(value)


def _requests(value: str | None, properties: Mapping[str, str]) -> int | None:
    """As :class:`Variant` has it: none for synchronous calls, zero for the device's optimal number."""
    if value is None:
        # A device that is told to go for throughput prepares for several requests; one after another would
        # measure a configuration that nobody deploys.
        return 0 if properties.get("PERFORMANCE_HINT") in _QUEUED else None
    if value in ("auto", "sync"):
        return 0 if value == "auto" else None
    try:
        return _number("requests", value)
    except OptionError as error:
        raise OptionError(error.message, "Use a whole number from 1, auto or sync.") from None


def _shape(key: str, value: str) -> tuple[int, ...]:
    sizes = [size.strip() for size in value.split(",")]
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise OptionError(
            f"{key}={value} is no static shape.",
            f"Write sizes from 1 with commas between: {key}=1,3,224,224.",
        )
    return tuple(int(size) for size in sizes)
