"""``optguide first-inference MODEL...``: from a fresh process to the first result, stage by stage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from optguide.cli.session import machine_held, read_variants, subject
from optguide.errors import OptionError
from optguide.machine import Machine
from optguide.machine.noise import busy_warnings
from optguide.runtimes.openvino import OpenVINO

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
    label = f"first inference of {subject(built)}"
    with (
        machine_held(f"optguide {label}", options["wait"]),
        _cached(built if cache else ()) as (cached, warnings),
    ):
        every = [*built, *cached]
        times = measure_starts(every, repeats, label=label)
    measured = [variant for variant in every if variant.name in times.runs]
    output.deliver(
        "first-inference",
        as_json=options["as_json"],
        content=lambda: {**_content(times, measured), "warnings": warnings},
        tables=lambda: _print(times, [variant.name for variant in measured]),
        warnings=(*warnings, *busy_warnings(times.others_share)),
        failures=times.failures,
    )


@contextmanager
def _cached(variants: Sequence[Variant]) -> Iterator[tuple[list[Variant], list[str]]]:
    """The OpenVINO variants with caches that have been filled, and warnings about those that stayed empty."""
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


def _print(times: ColdStart, names: Sequence[str]) -> None:
    repeats = len(times.runs[names[0]])
    output.table(
        f"From a fresh process to the first result: median of {repeats} starts (95 % interval)",
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
        f"{fmt.quantity(repeats * len(names), 'count')} processes in turns. The files were in the"
        " system's cache: a start right after boot is slower."
    )
    output.input_lines(times.inputs)
    output.machine_line()


def _row(times: ColdStart, name: str, stages: Sequence[str]) -> list[str]:
    return [name, *(output.estimate_cell(partial(times.estimate, name, stage)) for stage in stages)]


def _ratio_row(times: ColdStart, first: str, name: str) -> list[output.Cell]:
    return [
        name,
        *(output.comparison_cell(times.compare(first, name, stage)) for stage in COMPARED),
        output.estimate_cell(lambda: times.compare_memory(first, name).ratio),
    ]


def _content(times: ColdStart, measured: Sequence[Variant]) -> dict[str, Any]:
    return {
        "machine": Machine.current().to_dict(),
        "repeats": len(times.runs[measured[0].name]),
        "others_share": times.others_share,
        "variants": [_variant(times, variant) for variant in measured],
        "comparisons": [_comparison(times, measured[0].name, variant.name) for variant in measured[1:]],
        "failures": output.failure_fields(times.failures),
    }


def _variant(times: ColdStart, variant: Variant) -> dict[str, Any]:
    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "inputs": times.inputs[name],
        "stages": {stage: times.estimate(name, stage) for stage in (*STAGES, *SUMS)},
        "first_over_steady": times.warm_up(name),
        "memory": {
            moment: {kind: output.if_enough(partial(times.memory, name, kind, moment)) for kind in FOOTPRINTS}
            for moment in MOMENTS
        },
        "runs": times.runs[name],
    }


def _comparison(times: ColdStart, first: str, name: str) -> dict[str, Any]:
    memory = output.if_enough(partial(times.compare_memory, first, name))
    return {
        "first": first,
        "variant": name,
        **{stage: output.comparison_fields(times.compare(first, name, stage)) for stage in COMPARED},
        "memory": output.comparison_fields(memory),
    }
