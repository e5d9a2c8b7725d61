"""``optguide first-inference MODEL...``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import debug_option, json_option, models_argument, settings_options, wait_option
from optguide.errors import NotEnoughSamples, OptionError

if TYPE_CHECKING:
    from rich.text import Text

    from optguide.measuring.coldstart import ColdStart
    from optguide.measuring.comparison import Comparison
    from optguide.measuring.estimate import Estimate
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


@dataclass(frozen=True)
class _Measured:
    """What was measured, in the order in which it was asked for."""

    starts: ColdStart
    variants: Sequence[Variant]
    repeats: int
    warnings: Sequence[str]

    @property
    def names(self) -> list[str]:
        return [variant.name for variant in self.variants if variant.name in self.starts.runs]


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
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.variants import build, common_settings, parse, refuse

    specs, common = parse(variants), common_settings(options)
    refuse("requests", specs, common, "A first inference is a single call")
    if repeats < FEWEST:
        raise OptionError(
            f"{repeats} starts are too few for an interval.", f"Use --repeats {FEWEST} or more."
        )
    built = build(specs, common, allow_pickle=options["allow_pickle"])
    measured = _measure(built, repeats, wait=options["wait"], cache=cache)
    if options["as_json"]:
        _emit(measured)
    else:
        _print(measured)
    for sentence in measured.warnings:
        warn(sentence)
    report_failures(measured.starts.failures)


def _measure(variants: Sequence[Variant], repeats: int, *, wait: float, cache: bool) -> _Measured:
    from optguide.cli.session import machine_held
    from optguide.measuring.coldstart import first_inference as start

    label = (
        f"first inference of {len(variants)} variants"
        if variants[1:]
        else f"first inference of {variants[0].name}"
    )
    with machine_held(f"optguide {label}", wait), _cached(variants if cache else ()) as (cached, warnings):
        everyone = [*variants, *cached]
        return _Measured(start(everyone, repeats, label=label), everyone, repeats, warnings)


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


def _print(measured: _Measured) -> None:
    from optguide import format as fmt
    from optguide.cli import render
    from optguide.machine import Machine

    starts, names = measured.starts, measured.names
    stages = ("import", "read", "compile", "first", "total")
    render.table(
        f"From a fresh process to the first result: median of {measured.repeats} starts (95 % interval)",
        ("Variant", "Import", "Read", "Compile", "First inference", "Together"),
        [[name, *(_cell(partial(starts.estimate, name, stage)) for stage in stages)] for name in names],
    )
    render.table(
        "Afterwards",
        ("Variant", "Second inference", "Steady inference", "First over steady"),
        [
            [
                name,
                *(_cell(partial(starts.estimate, name, stage)) for stage in ("second", "steady")),
                _cell(partial(starts.warm_up, name)),
            ]
            for name in names
        ],
    )
    moments = [(kind, after) for after in ("load", "first") for kind in ("peak", "private")]
    render.table(
        "Memory of the process; private is what belongs to no file",
        ("Variant", "Loaded: peak", "Loaded: private", "First result: peak", "First result: private"),
        [[name, *(_cell(partial(starts.memory, name, *moment)) for moment in moments)] for name in names],
    )
    if names[1:]:
        render.table(
            f"Against {names[0]}: above 1 is better (95 % interval)",
            ("Variant", "Together", "Read and compile", "First inference", "Peak memory"),
            [_against(starts, names[0], name) for name in names[1:]],
        )
    render.paragraph(
        f"{fmt.quantity(measured.repeats * len(names), 'count')} processes in turns. The files were in the"
        " system's cache: a start right after boot is slower."
    )
    render.paragraph(f"{Machine.current().summary()}.")


def _cell(found: Callable[[], Estimate]) -> str:
    from optguide import format as fmt

    try:
        return fmt.estimate(found()).replace(" (", "\n(")
    except NotEnoughSamples:
        return "unknown"


def _against(starts: ColdStart, first: str, name: str) -> list[str | Text]:
    from optguide import format as fmt
    from optguide.cli import render

    cells: list[str | Text] = [name]
    for stage in ("total", "load", "first"):
        found = starts.compare(first, name, stage)
        cells.append(render.verdict(found.verdict, f"{fmt.estimate(found.ratio)}\n{found.verdict}"))
    return [*cells, _cell(lambda: starts.compare_memory(first, name).ratio)]


def _emit(measured: _Measured) -> None:
    from optguide.cli import as_json
    from optguide.machine import Machine

    starts, names = measured.starts, measured.names
    as_json.emit(
        "first-inference",
        {
            "machine": Machine.current().to_dict(),
            "repeats": measured.repeats,
            "variants": [_variant(starts, variant) for variant in measured.variants if variant.name in names],
            "comparisons": [_comparison(starts, names[0], name) for name in names[1:]],
            "failures": [as_json.failure(name, error) for name, error in starts.failures.items()],
            "warnings": list(measured.warnings),
        },
    )


def _variant(starts: ColdStart, variant: Variant) -> dict[str, Any]:
    from optguide.cli import as_json
    from optguide.measuring.coldstart import FOOTPRINTS, MOMENTS, STAGES, SUMS

    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "stages": {stage: asdict(starts.estimate(name, stage)) for stage in (*STAGES, *SUMS)},
        "first_over_steady": asdict(starts.warm_up(name)),
        "memory": {
            moment: {
                kind: as_json.estimate(partial(starts.memory, name, kind, moment)) for kind in FOOTPRINTS
            }
            for moment in MOMENTS
        },
        "runs": starts.runs[name],
    }


def _comparison(starts: ColdStart, first: str, name: str) -> dict[str, Any]:
    from optguide.cli import as_json

    def ratio(compare: Callable[[], Comparison]) -> dict[str, Any] | None:
        try:
            return as_json.comparison(compare())
        except NotEnoughSamples:
            return None

    return {
        "first": first,
        "variant": name,
        **{
            stage: as_json.comparison(starts.compare(first, name, stage))
            for stage in ("total", "load", "first")
        },
        "memory": ratio(partial(starts.compare_memory, first, name)),
    }
