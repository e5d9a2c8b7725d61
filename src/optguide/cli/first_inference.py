"""What ``optguide first-inference`` prints: tables, or one JSON object.

``optguide first-inference MODEL...``.
"""

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

__all__ = ["Starts", "emit", "first_inference", "show"]

if TYPE_CHECKING:
    from rich.text import Text

    from optguide.bench.cold_start import ColdStart
    from optguide.bench.variant import Variant
    from optguide.stats.comparison import Comparison
    from optguide.stats.estimate import Estimate


@dataclass(frozen=True)
class Starts:
    """What was measured, in the order in which it was asked for."""

    times: ColdStart
    variants: Sequence[Variant]
    repeats: int
    warnings: Sequence[str]

    @property
    def names(self) -> list[str]:
        """Of the variants that did not fail."""
        return [variant.name for variant in self.variants if variant.name in self.times.runs]


def show(found: Starts) -> None:
    """Print stages, memory and ratios to the first variant."""
    from optguide import format as fmt
    from optguide.cli import output as render
    from optguide.machine import Machine

    times, names = found.times, found.names
    stages = ("import", "read", "compile", "first", "total")
    render.table(
        f"From a fresh process to the first result: median of {found.repeats} starts (95 % interval)",
        ("Variant", "Import", "Read", "Compile", "First inference", "Together"),
        [[name, *(_cell(partial(times.estimate, name, stage)) for stage in stages)] for name in names],
    )
    render.table(
        "Afterwards",
        ("Variant", "Second inference", "Steady inference", "First over steady"),
        [
            [
                name,
                *(_cell(partial(times.estimate, name, stage)) for stage in ("second", "steady")),
                _cell(partial(times.warm_up, name)),
            ]
            for name in names
        ],
    )
    moments = [(kind, after) for after in ("load", "first") for kind in ("peak", "private")]
    render.table(
        "Memory of the process; private is what belongs to no file",
        ("Variant", "Loaded: peak", "Loaded: private", "First result: peak", "First result: private"),
        [[name, *(_cell(partial(times.memory, name, *moment)) for moment in moments)] for name in names],
    )
    if names[1:]:
        render.table(
            f"Against {names[0]}: above 1 is better (95 % interval)",
            ("Variant", "Together", "Read and compile", "First inference", "Peak memory"),
            [_against(times, names[0], name) for name in names[1:]],
        )
    render.paragraph(
        f"{fmt.quantity(found.repeats * len(names), 'count')} processes in turns. The files were in the"
        " system's cache: a start right after boot is slower."
    )
    render.paragraph(f"{Machine.current().summary()}.")


def _cell(found: Callable[[], Estimate]) -> str:
    from optguide import format as fmt

    try:
        return fmt.estimate(found()).replace(" (", "\n(")
    except NotEnoughSamples:
        return "unknown"


def _against(times: ColdStart, first: str, name: str) -> list[str | Text]:
    from optguide import format as fmt
    from optguide.cli import output as render

    cells: list[str | Text] = [name]
    for stage in ("total", "load", "first"):
        found = times.compare(first, name, stage)
        cells.append(render.verdict(found.verdict, f"{fmt.estimate(found.ratio)}\n{found.verdict}"))
    return [*cells, _cell(lambda: times.compare_memory(first, name).ratio)]


def emit(found: Starts) -> None:
    """Print the same as JSON, with every run."""
    from optguide.cli import as_json
    from optguide.machine import Machine

    times, names = found.times, found.names
    as_json.emit(
        "first-inference",
        {
            "machine": Machine.current().to_dict(),
            "repeats": found.repeats,
            "others_share": times.others_share,
            "variants": [_variant(times, variant) for variant in found.variants if variant.name in names],
            "comparisons": [_comparison(times, names[0], name) for name in names[1:]],
            "failures": [as_json.failure(name, error) for name, error in times.failures.items()],
            "warnings": list(found.warnings),
        },
    )


def _variant(times: ColdStart, variant: Variant) -> dict[str, Any]:
    from optguide.bench.cold_start import FOOTPRINTS, MOMENTS, STAGES, SUMS
    from optguide.cli import as_json

    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "stages": {stage: asdict(times.estimate(name, stage)) for stage in (*STAGES, *SUMS)},
        "first_over_steady": asdict(times.warm_up(name)),
        "memory": {
            moment: {kind: as_json.estimate(partial(times.memory, name, kind, moment)) for kind in FOOTPRINTS}
            for moment in MOMENTS
        },
        "runs": times.runs[name],
    }


def _comparison(times: ColdStart, first: str, name: str) -> dict[str, Any]:
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
            stage: as_json.comparison(times.compare(first, name, stage))
            for stage in ("total", "load", "first")
        },
        "memory": ratio(partial(times.compare_memory, first, name)),
    }


if TYPE_CHECKING:
    from optguide.bench.variant import Variant
    from optguide.cli.first_inference import Starts


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
"""Starts that give an interval; see :data:`optguide.stats.estimate.MINIMUM_ROUNDS`."""


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
    (emit if options["as_json"] else show)(found)
    for sentence in (*found.warnings, *busy(found.times.others_share)):
        warn(sentence)
    report_failures(found.times.failures)


def _measure(variants: Sequence[Variant], repeats: int, *, wait: float, cache: bool) -> Starts:
    from optguide.bench.cold_start import first_inference as start
    from optguide.cli.first_inference import Starts
    from optguide.cli.session import machine_held

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
    from optguide.bench.cold_start import first_inference as start
    from optguide.runtimes.openvino import OpenVINO

    ours = [variant for variant in variants if isinstance(variant.runtime, OpenVINO)]
    if variants and not ours:
        raise OptionError("Only OpenVINO has a model cache.", "Leave out --cache.")
    if any("CACHE_DIR" in variant.openvino.properties for variant in ours):
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
            if variant.name not in failures and not any(Path(str(variant.openvino.cache_dir)).rglob("*.blob"))
        ]
        yield found, empty
