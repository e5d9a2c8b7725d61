"""From what stands on the command line to variants, their settings and their names.

A variant is written ``MODEL@KEY=VALUE,KEY=VALUE``. Without a model before the ``@`` it is the model of the
variant before it, in the same shapes, so that ``compare model.xml @requests=4`` compares a model with itself.

Options and variants have one language for settings, a mapping of names to texts. Names in capitals are
OpenVINO properties. The others are the options' own names, with ``shape.<input>`` for the shape of one input.
What the options say holds for all variants; a variant's own settings win.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import click

from optguide import references
from optguide.bench.variant import Variant
from optguide.errors import OptionError
from optguide.isolated import IsolatedEnvironment, release
from optguide.runtimes import named, runtime_classes
from optguide.runtimes.base import Runtime, parse_number
from optguide.runtimes.models import check_inputs, check_model
from optguide.runtimes.openvino import OpenVINO

_OF_ALL = ("name", "inputs", "frames", "runtime")
"""Settings that variants of every runtime have."""

_OPTIONS = (*(key for key in OpenVINO.keys if key not in ("shape", OpenVINO.distribution)), "frames")
"""Settings that are options of their own names."""


@dataclass(frozen=True)
class Spec:
    """One variant as it was written."""

    model: str
    settings: Mapping[str, str]


def labels(specs: Sequence[Spec]) -> list[str]:
    """One name per variant, unique: the model if there are several, and the settings that not all share.

    A setting ``name`` decides by itself.
    """
    models = _model_labels([spec.model for spec in specs])
    settings = [set(spec.settings.items()) for spec in specs]
    shared = set.intersection(*settings) if len(settings) > 1 else set()
    names = []
    for spec in specs:
        differing = [f"{key}={value}" for key, value in spec.settings.items() if (key, value) not in shared]
        with_model = len(models) > 1 or len(specs) == 1 or not differing
        parts = [models[spec.model], *differing] if with_model else differing
        names.append(spec.settings.get("name") or ", ".join(parts))
    return _numbered(names)


def _model_labels(models: Sequence[str]) -> dict[str, str]:
    """The shortest label of each model that none of the others has."""
    different = list(dict.fromkeys(models))
    depth = max(len(PurePath(model).parts) for model in different)
    for level in range(depth + 1):
        names = {model: _label(model, level) for model in different}
        if len(set(names.values())) == len(different):
            return names
    return {model: model for model in different}


def _label(model: str, level: int) -> str:
    """At level 0 the name without suffix, then with it, then with ever more folders before it."""
    path = PurePath(model)
    if level == 0:
        # A reference to Python code, package.module:function, has no suffix.
        return references.split(model)[1] if ":" in path.name else path.stem
    return "/".join(path.parts[-level:]) or model


def _numbered(names: Sequence[str]) -> list[str]:
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(f"{name} ({counts[name]})" if counts[name] > 1 else name)
    return unique


def runtime_names() -> tuple[str, ...]:
    """Names of the runtimes for which a command line can give all that they need."""
    return tuple(name for runtime in runtime_classes() if runtime.on_command_line for name in runtime.names)


def keys() -> dict[str, tuple[str, ...]]:
    """Settings besides OpenVINO's properties, each with values worth offering."""
    of_runtimes: dict[str, tuple[str, ...]] = {}
    for runtime in runtime_classes():
        for key, values in runtime.keys.items():
            of_runtimes.setdefault(key, values)
    return of_runtimes | {"inputs": (), "frames": (), "runtime": runtime_names(), "name": ()}


def assign(pairs: Sequence[str], where: str) -> dict[str, str]:
    """Split ``KEY=VALUE`` texts."""
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise OptionError(
                f"{pair!r} in {where} is not of the form KEY=VALUE.", "Write a name and a value."
            )
        if key in settings:
            raise OptionError(f"{where} sets {key} twice.", "Keep one of the values.")
        settings[key] = value
    return settings


def canonical(settings: Mapping[str, str]) -> dict[str, str]:
    """``settings`` with the shorthands for properties written out; an empty value takes a property back."""
    written_out: dict[str, str] = {}
    for key, value in settings.items():
        if not (_is_property(key) or _head(key) in keys()) or key in ("shape", "shape."):
            names = [f"{name}.<input>" if name == "shape" else name for name in keys()]
            close = difflib.get_close_matches(key.lower(), names, n=1)
            raise OptionError(
                f"{key!r} is no setting of a variant.",
                f"Did you mean {close[0]}?"
                if close
                else f"Use {', '.join(names)}, or an OpenVINO property in capitals.",
            )
        name, text = OpenVINO.written_out(key, value)
        if name in written_out and written_out[name] != text:
            raise OptionError(
                f"{name} is set twice, to {written_out[name] or 'none'} and to {text or 'none'}.",
                "Keep one of them.",
            )
        written_out[name] = text
    return written_out


def for_runtime(runtime: str, common: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Both kinds of settings together, as far as ``runtime`` has them.

    OpenVINO's device and properties in the common settings concern OpenVINO variants only. Whatever changes
    the work that is done has to hold for all variants or for none, so it is refused here.
    """
    names = runtime_names()
    if runtime not in names:
        raise OptionError(f"There is no runtime {runtime!r}.", f"Use one of: {', '.join(names)}.")
    chosen, _ = named(runtime)
    for key in own:
        if not _has(chosen, key):
            settings = (*_OF_ALL, *chosen.keys)
            raise OptionError(
                f"The runtime {runtime} has no setting {key}.", f"It has {', '.join(settings)}."
            )
    for key in ("batch", "requests", "feed", "steps"):
        if key in common and not _has(chosen, key):
            raise OptionError(
                f"--{key} is for OpenVINO, and a variant runs with {runtime}.",
                f"Write it on the OpenVINO variants instead: model.xml@{key}={common[key]}.",
            )
    return {key: value for key, value in common.items() if _has(chosen, key)} | dict(own)


def _has(runtime: type[Runtime], key: str) -> bool:
    """Whether a runtime has a setting. OpenVINO's properties, in capitals, are those of OpenVINO alone."""
    if _is_property(key):
        return runtime is OpenVINO
    return _head(key) in (*_OF_ALL, *runtime.keys)


def _head(key: str) -> str:
    """``shape`` of ``shape.<input>``; other keys as they are."""
    return "shape" if key.startswith("shape.") else key


def to_variant(name: str, model: str, settings: Mapping[str, str]) -> Variant:
    """The variant that canonical ``settings`` describe, for the interpreter of this process."""
    runtime, _ = named(settings.get("runtime", "openvino"))
    frames = parse_number("frames", settings["frames"]) if "frames" in settings else None
    inputs = _files(settings["inputs"]) if "inputs" in settings else ()
    return Variant(name, model, runtime.from_texts(settings), inputs, frames=frames)


def _environment(runtime: str, settings: Mapping[str, str]) -> IsolatedEnvironment | None:
    """Where the release that ``settings`` name runs; ``None`` where they name none."""
    distribution = named(runtime)[0].distribution
    return release(distribution, settings[distribution]) if distribution in settings else None


def _installed(variant: Variant, environment: IsolatedEnvironment | None) -> Variant:
    """``variant`` in ``environment``, which is installed first where it is missing."""
    if environment is None:
        return variant
    if not environment.is_complete:
        click.echo(f"{environment.title} is being installed, once for all runs.", err=True)
    return replace(variant, interpreter=str(environment.create()))


def _files(text: str) -> tuple[str, ...]:
    """File names with commas between; a comma that is in the name of an existing file is part of it."""
    parts, files = text.split(","), []
    while parts:
        lengths = range(len(parts), 1, -1)
        count = next((count for count in lengths if Path(",".join(parts[:count])).is_file()), 1)
        files.append(",".join(parts[:count]))
        parts = parts[count:]
    return tuple(files)


def _is_property(key: str) -> bool:
    return key.isupper()


def parse(texts: Sequence[str]) -> tuple[Spec, ...]:
    """Read the arguments of a command."""
    specs: list[Spec] = []
    for text in texts:
        model, tail = _split(text)
        if not model and not specs:
            raise OptionError(
                f"{text!r} names no model, and none stands before it.", "Write MODEL@KEY=VALUE."
            )
        own = assign(_chunks(tail), repr(text)) if tail else {}
        if model:
            specs.append(Spec(model, own))
        else:
            specs.append(Spec(specs[-1].model, _inherited_shapes(specs[-1], own) | own))
    return tuple(specs)


def _inherited_shapes(before: Spec, own: Mapping[str, str]) -> dict[str, str]:
    """Shapes of the variant before one that names no model; real inputs have their own, and not every
    runtime has any.
    """
    runtime = own.get("runtime", "openvino")
    shaped = any(runtime in kind.names and "shape" in kind.keys for kind in runtime_classes())
    if "inputs" in own or not shaped:
        return {}
    return {key: value for key, value in before.settings.items() if _head(key) == "shape"}


def common_settings(options: Mapping[str, Any]) -> dict[str, str]:
    """The settings in the values of :func:`optguide.cli.options.settings_options`.

    :raises OptionError: ``--set`` or ``--shape`` is not of the form KEY=VALUE, or something is set twice.
    """
    values = {key: options.get(key.replace("-", "_")) for key in _OPTIONS}
    settings = {key: str(value) for key, value in values.items() if value is not None}
    if files := options.get("inputs"):
        settings["inputs"] = ",".join(map(str, files))
    shapes = assign(options.get("shapes", ()), "--shape")
    settings |= {f"shape.{name}": sizes for name, sizes in shapes.items()}
    properties = assign(options.get("properties", ()), "--set")
    for key in properties:
        if not _is_property(key):
            raise OptionError(
                f"{key!r} is no OpenVINO property.",
                "Their names are written in capitals: --set NUM_STREAMS=2.",
            )
    return settings | properties


def build(specs: Sequence[Spec], common: Mapping[str, str], *, allow_pickle: bool) -> list[Variant]:
    """Variants with short names that tell them apart.

    All models, inputs and settings are checked before a release is installed, which can take minutes.
    """
    everywhere = canonical(common)
    checked = []
    for spec, name in zip(specs, labels(specs), strict=True):
        own = canonical(spec.settings)
        runtime = own.get("runtime", "openvino")
        settings = for_runtime(runtime, everywhere, own)
        check_model(spec.model, runtime, allow_pickle=allow_pickle)
        variant = to_variant(name, spec.model, settings)
        check_inputs(variant.inputs, runtime)
        checked.append((variant, _environment(runtime, settings)))
    return [_installed(variant, environment) for variant, environment in checked]


def _split(text: str) -> tuple[str, str]:
    """Model and settings; an ``@`` in the name of an existing file is part of the name."""
    model, at, tail = text.rpartition("@")
    if Path(text).exists() or not at:
        return text, ""
    is_settings = "=" in tail or not model or Path(model).exists()
    return (model, tail or " ") if is_settings else (text, "")


def _chunks(tail: str) -> list[str]:
    """Settings between commas; what has no ``=`` belongs to the value before it, as in ``AUTO:GPU,CPU``."""
    chunks: list[str] = []
    for part in tail.split(","):
        if "=" in part or not chunks:
            chunks.append(part)
        else:
            chunks[-1] += f",{part}"
    return chunks
