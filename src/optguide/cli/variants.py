"""From what stands on the command line to variants.

A variant is written ``MODEL@KEY=VALUE,KEY=VALUE``. Without a model before the ``@`` it is the model of the
variant before it, so that ``compare model.xml @requests=4`` compares a model with itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optguide.cli.names import labels
from optguide.cli.settings import assign, canonical, for_runtime, to_variant
from optguide.errors import OptionError
from optguide.measuring.variant import Variant
from optguide.models import check_inputs, check_model

__all__ = ["Spec", "build", "common_settings", "parse", "refuse"]


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
