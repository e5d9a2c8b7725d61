"""``optguide first-inference MODEL...``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import debug_option, json_option, models_argument, settings_options, wait_option
from optguide.errors import OptionError

if TYPE_CHECKING:
    from optguide.cli.first_inference_output import Starts
    from optguide.measuring.variant import Variant

__all__ = ["first_inference"]

EPILOG = """\b
Examples:
  optguide first-inference model.xml
  optguide first-inference model.xml --cache
  optguide first-inference model.onnx model.xml @ENABLE_MMAP=NO --repeats 9
  optguide first-inference model.xml model.onnx@runtime=onnxruntime --json

\b
Settings of a variant are those of `optguide compare`.
"""

CACHED = ", cached"
FEWEST = 6
"""Starts that give an interval; see :data:`optguide.measuring.estimate.MINIMUM_ROUNDS`."""


@click.command("first-inference", epilog=EPILOG)
@models_argument
@click.option(
    "--repeats",
    type=int,
    default=FEWEST,
    show_default=True,
    metavar="N",
    help=f"Starts of each variant; {FEWEST} or more.",
)
@click.option(
    "--cache",
    is_flag=True,
    help="Start every OpenVINO variant also with a model cache that has it already.",
)
@settings_options
@wait_option
@json_option
@debug_option
def first_inference(variants: tuple[str, ...], repeats: int, cache: bool, **options: Any) -> None:
    """Measure the time from a fresh process to the first result, stage by stage, and memory.

    Each start is a new process, and the starts of all variants take turns: import of the runtime, reading the
    model, compiling it, first inference. Variants are written as for `optguide compare`; with several, the
    others are compared with the first.
    """
    from optguide.cli import first_inference_output as output
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.session import busy
    from optguide.cli.variants import build, common_settings, parse, refuse

    specs, common = parse(variants), common_settings(options)
    refuse("requests", specs, common, "A first inference is a single call")
    if repeats < FEWEST:
        raise OptionError(
            f"{repeats} starts are too few for an interval.", f"Use --repeats {FEWEST} or more."
        )
    built = build(specs, common, allow_pickle=options["allow_pickle"])
    found = _measure(built, repeats, wait=options["wait"], cache=cache)
    (output.emit if options["as_json"] else output.show)(found)
    for sentence in (*found.warnings, *busy(found.times.others_share)):
        warn(sentence)
    report_failures(found.times.failures)


def _measure(variants: Sequence[Variant], repeats: int, *, wait: float, cache: bool) -> Starts:
    from optguide.cli.first_inference_output import Starts
    from optguide.cli.session import machine_held
    from optguide.measuring.coldstart import first_inference as start

    what = variants[0].name if len(variants) == 1 else f"{len(variants)} variants"
    label = f"first inference of {what}"
    with machine_held(f"optguide {label}", wait), _cached(variants if cache else ()) as (cached, warnings):
        everyone = [*variants, *cached]
        return Starts(start(everyone, repeats, label=label), everyone, repeats, warnings)


@contextmanager
def _cached(variants: Sequence[Variant]) -> Iterator[tuple[list[Variant], list[str]]]:
    """The OpenVINO variants with caches that have been filled, and which of them have stored nothing.

    :raises OptionError: there is none, or one has a cache of its own.
    """
    from optguide.measuring.coldstart import first_inference as start

    ours = [variant for variant in variants if variant.runtime == "openvino"]
    if variants and not ours:
        raise OptionError("Only OpenVINO has a model cache.", "Leave out --cache.")
    if any("CACHE_DIR" in variant.properties for variant in ours):
        raise OptionError("CACHE_DIR is set, and --cache sets it too.", "Leave out one of them.")
    with tempfile.TemporaryDirectory(prefix="optguide-cache-") as folder:
        found = [
            variant.with_(variant.name + CACHED, cache_dir=str(Path(folder) / str(index)))
            for index, variant in enumerate(ours)
        ]
        failures = start(found, 1, label="filling the caches").failures if found else {}
        empty = [
            f"OpenVINO stored nothing in the model cache of {variant.name!r}, so it says nothing about one."
            for variant in found
            if variant.name not in failures and not any(Path(str(variant.cache_dir)).rglob("*.blob"))
        ]
        yield found, empty
