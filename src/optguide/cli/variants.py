"""One language for settings, in options and on variants: a mapping of names to texts.

Names in capitals are OpenVINO properties. The others are the options' own names, with ``shape.<input>`` for
the shape of one input. What the options say holds for all variants; a variant's own settings win.

Short names that say how variants differ.

From what stands on the command line to variants.

A variant is written ``MODEL@KEY=VALUE,KEY=VALUE``. Without a model before the ``@`` it is the model of the
variant before it, so that ``compare model.xml @requests=4`` compares a model with itself.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, get_args

from optguide.bench.variant import Runtime, Variant
from optguide.errors import OptionError
from optguide.runtimes.models import check_inputs, check_model

__all__ = [
    "OWN_NAMES",
    "Spec",
    "assign",
    "build",
    "canonical",
    "common_settings",
    "for_runtime",
    "labels",
    "parse",
    "refuse",
    "to_variant",
]

Described = tuple[str, Mapping[str, str]]
"""Model and the variant's own settings."""


def labels(described: Sequence[Described]) -> list[str]:
    """One name per variant, unique: the model if there are several, and the settings that not all share.

    A setting ``name`` decides by itself.
    """
    models = _model_labels([model for model, _ in described])
    settings = [set(own.items()) for _, own in described]
    shared = set.intersection(*settings) if len(settings) > 1 else set()
    names = []
    for model, own in described:
        differing = [f"{key}={value}" for key, value in own.items() if (key, value) not in shared]
        with_model = len(models) > 1 or len(described) == 1 or not differing
        parts = [models[model], *differing] if with_model else differing
        names.append(own.get("name") or ", ".join(parts))
    return _numbered(names)


def _model_labels(models: Sequence[str]) -> dict[str, str]:
    """The shortest label of each model that none of the others has."""
    different = list(dict.fromkeys(models))
    depth = max(len(PurePath(model).parts) for model in different)
    for level in range(depth + 1):
        found = {model: _label(model, level) for model in different}
        if len(set(found.values())) == len(different):
            return found
    return {model: model for model in different}


def _label(model: str, level: int) -> str:
    """At level 0 the name without suffix, then with it, then with ever more folders before it."""
    path = PurePath(model)
    if level == 0:
        # A reference to Python code, package.module:function, has no suffix.
        return model.rpartition(":")[2] if ":" in path.name else path.stem
    return "/".join(path.parts[-level:]) or model


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return unique


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


@dataclass(frozen=True)
class Spec:
    """One variant as it was written.

    :param model: path or reference.
    :param settings: its own settings, by name.
    """

    model: str
    settings: Mapping[str, str]


def parse(texts: Sequence[str]) -> tuple[Spec, ...]:
    """Read the arguments of a command.

    :raises OptionError: one is not understood.
    """
    specs: list[Spec] = []
    for text in texts:
        model, tail = _split(text)
        if not model and not specs:
            raise OptionError(
                f"{text!r} names no model, and none stands before it.", "Write MODEL@KEY=VALUE."
            )
        specs.append(Spec(model or specs[-1].model, assign(_chunks(tail), repr(text)) if tail else {}))
    return tuple(specs)


def common_settings(options: Mapping[str, object]) -> dict[str, str]:
    """The settings in the values of :func:`optguide.cli.options.settings_options`.

    :raises OptionError: ``--set`` or ``--shape`` is not of the form KEY=VALUE, or something is set twice.
    """
    found = {
        key: str(options[key.replace("-", "_")])
        for key in ("device", "hint", "precision-hint", "requests", "batch", "threads")
        if options.get(key.replace("-", "_")) is not None
    }
    if files := _texts(options.get("inputs")):
        found["inputs"] = ",".join(files)
    shapes = assign(_texts(options.get("shapes")), "--shape")
    found |= {f"shape.{name}": sizes for name, sizes in shapes.items()}
    properties = assign(_texts(options.get("properties")), "--set")
    for key in properties:
        if not key.isupper():
            raise OptionError(
                f"{key!r} is no OpenVINO property.",
                "Their names are written in capitals: --set NUM_STREAMS=2.",
            )
    return found | properties


def build(specs: Sequence[Spec], common: Mapping[str, str], *, allow_pickle: bool) -> list[Variant]:
    """Variants with short names that tell them apart; models and inputs are checked first.

    :param common: settings of all variants.
    :raises UserError: a setting, model or input file that cannot work.
    """
    everywhere = canonical(common)
    variants = []
    for spec, name in zip(specs, labels([(spec.model, spec.settings) for spec in specs]), strict=True):
        own = canonical(spec.settings)
        runtime = own.get("runtime", "openvino")
        settings = for_runtime(runtime, everywhere, own)
        check_model(spec.model, runtime, allow_pickle=allow_pickle)
        variants.append(to_variant(name, spec.model, settings))
        check_inputs(variants[-1].inputs, runtime)
    return variants


def refuse(setting: str, specs: Sequence[Spec], common: Mapping[str, str], why: str) -> None:
    """Refuse a setting that a command has no use for.

    :param why: it is of no use: ``"Layers are counted one inference after another"``.
    :raises OptionError: it is set, for all variants or for one.
    """
    if any(setting in settings for settings in (common, *(spec.settings for spec in specs))):
        raise OptionError(f"{why}, so {setting} would change nothing.", "Leave it out.")


def _split(text: str) -> tuple[str, str]:
    """Model and settings; an ``@`` in the name of an existing file is part of the name."""
    model, at, tail = text.rpartition("@")
    if Path(text).exists() or not at:
        return text, ""
    is_settings = "=" in tail or not model or Path(model).exists()
    return (model, tail or " ") if is_settings else (text, "")


def _chunks(tail: str) -> list[str]:
    """Settings between commas; what has no ``=`` belongs to the value before it, as in ``AUTO:GPU,CPU``."""
    found: list[str] = []
    for part in tail.split(","):
        if "=" in part or not found:
            found.append(part)
        else:
            found[-1] += f",{part}"
    return found


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, (tuple, list)) else []
