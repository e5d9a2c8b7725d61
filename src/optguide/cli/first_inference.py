"""``optguide first-inference MODEL...``: from a fresh process to the first result, stage by stage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from optguide import format as fmt
from optguide.bench.cold_start import FOOTPRINTS, MOMENTS, STAGES, SUMS, ColdStart
from optguide.bench.cold_start import first_inference as measure_starts
from optguide.bench.variant import Variant
from optguide.cli import output
from optguide.cli.options import common_options, models_argument, settings_options
from optguide.cli.session import busy_warnings, machine_held, read_variants, subject
from optguide.errors import NotEnoughSamples, OptionError
from optguide.machine import Machine
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.comparison import Comparison

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
COMPARED = ("total", "load", "first")
"""The stages in which variants are compared."""

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
@common_options
def first_inference(variants: tuple[str, ...], repeats: int, cache: bool, **options: Any) -> None:
    """Measure the time from a fresh process to the first result, stage by stage, and memory.

    Each start is a new process, and the starts of all variants take turns: import of the runtime, reading the
    model, compiling it, first inference. Variants are written as for `optguide compare`; with several, the
    others are compared with the first.
    """
    if repeats < FEWEST:
        raise OptionError(
            f"{repeats} starts are too few for an interval.", f"Use --repeats {FEWEST} or more."
        )
    built = read_variants(variants, options, single_calls="A first inference is a single call")
    run = _measure(built, repeats, wait=options["wait"], cache=cache)
    output.deliver(
        "first-inference",
        as_json=options["as_json"],
        content=lambda: _content(run),
        tables=lambda: _print(run),
        warnings=(*run.warnings, *busy_warnings(run.times.others_share)),
        failures=run.times.failures,
    )


@dataclass(frozen=True)
class ColdStartRun:
    """Cold starts of several variants, in the order in which they were asked for."""

    times: ColdStart
    variants: Sequence[Variant]
    repeats: int
    warnings: Sequence[str]

    @property
    def measured(self) -> list[Variant]:
        """The variants that did not fail."""
        return [variant for variant in self.variants if variant.name in self.times.runs]


def _measure(variants: Sequence[Variant], repeats: int, *, wait: float, cache: bool) -> ColdStartRun:
    label = f"first inference of {subject(variants)}"
    with machine_held(f"optguide {label}", wait), _cached(variants if cache else ()) as (cached, warnings):
        every = [*variants, *cached]
        return ColdStartRun(measure_starts(every, repeats, label=label), every, repeats, warnings)


@contextmanager
def _cached(variants: Sequence[Variant]) -> Iterator[tuple[list[Variant], list[str]]]:
    """The OpenVINO variants with caches that have been filled, and warnings about those that stayed empty.

    :raises OptionError: there is none, or one has a cache of its own.
    """
    cacheable = [variant for variant in variants if isinstance(variant.runtime, OpenVINO)]
    if variants and not cacheable:
        raise OptionError("Only OpenVINO has a model cache.", "Leave out --cache.")
    if any("CACHE_DIR" in variant.openvino.properties for variant in cacheable):
        raise OptionError("CACHE_DIR is set, and --cache sets it too.", "Leave out one of them.")
    with tempfile.TemporaryDirectory(prefix="optguide-cache-") as folder:
        cached = [
            variant.with_(variant.name + CACHED, cache_dir=str(Path(folder) / str(index)))
            for index, variant in enumerate(cacheable)
        ]
        failures = measure_starts(cached, 1, label="filling the caches").failures if cached else {}
        warnings = [
            f"OpenVINO stored nothing in the model cache of {variant.name!r}, so it says nothing about one."
            for variant in cached
            if variant.name not in failures and not any(Path(str(variant.openvino.cache_dir)).rglob("*.blob"))
        ]
        yield cached, warnings


def _print(run: ColdStartRun) -> None:
    """Stages, memory and ratios to the first variant."""
    times, names = run.times, [variant.name for variant in run.measured]
    output.table(
        f"From a fresh process to the first result: median of {run.repeats} starts (95 % interval)",
        ("Variant", "Import", "Read", "Compile", "First inference", "Together"),
        [_row(times, name, stages=("import", "read", "compile", "first", "total")) for name in names],
    )
    output.table(
        "Afterwards",
        ("Variant", "Second inference", "Steady inference", "First over steady"),
        [
            [
                *_row(times, name, stages=("second", "steady")),
                output.estimate_cell(partial(times.warm_up, name)),
            ]
            for name in names
        ],
    )
    output.table(
        "Memory of the process; private is what belongs to no file",
        ("Variant", "Loaded: peak", "Loaded: private", "First result: peak", "First result: private"),
        [
            [
                name,
                *(
                    output.estimate_cell(partial(times.memory, name, kind, moment))
                    for moment in MOMENTS
                    for kind in FOOTPRINTS
                ),
            ]
            for name in names
        ],
    )
    if names[1:]:
        output.table(
            f"Against {names[0]}: above 1 is better (95 % interval)",
            ("Variant", "Together", "Read and compile", "First inference", "Peak memory"),
            [_ratio_row(times, names[0], name) for name in names[1:]],
        )
    output.paragraph(
        f"{fmt.quantity(run.repeats * len(names), 'count')} processes in turns. The files were in the"
        " system's cache: a start right after boot is slower."
    )
    output.machine_line()


def _row(times: ColdStart, name: str, stages: Sequence[str]) -> list[str]:
    return [name, *(output.estimate_cell(partial(times.estimate, name, stage)) for stage in stages)]


def _ratio_row(times: ColdStart, first: str, name: str) -> list[output.Cell]:
    return [
        name,
        *(output.comparison_cell(times.compare(first, name, stage)) for stage in COMPARED),
        output.estimate_cell(lambda: times.compare_memory(first, name).ratio),
    ]


def _content(run: ColdStartRun) -> dict[str, Any]:
    """The JSON form, with every start."""
    times, measured = run.times, run.measured
    return {
        "machine": Machine.current().to_dict(),
        "repeats": run.repeats,
        "others_share": times.others_share,
        "variants": [_variant(times, variant) for variant in measured],
        "comparisons": [_comparison(times, measured[0].name, variant.name) for variant in measured[1:]],
        "failures": output.failure_fields(times.failures),
        "warnings": list(run.warnings),
    }


def _variant(times: ColdStart, variant: Variant) -> dict[str, Any]:
    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "stages": {stage: asdict(times.estimate(name, stage)) for stage in (*STAGES, *SUMS)},
        "first_over_steady": asdict(times.warm_up(name)),
        "memory": {
            moment: {
                kind: output.estimate_fields(partial(times.memory, name, kind, moment)) for kind in FOOTPRINTS
            }
            for moment in MOMENTS
        },
        "runs": times.runs[name],
    }


def _comparison(times: ColdStart, first: str, name: str) -> dict[str, Any]:
    memory: Comparison | None
    try:
        memory = times.compare_memory(first, name)
    except NotEnoughSamples:
        memory = None
    return {
        "first": first,
        "variant": name,
        **{stage: output.comparison_fields(times.compare(first, name, stage)) for stage in COMPARED},
        "memory": output.comparison_fields(memory),
    }
