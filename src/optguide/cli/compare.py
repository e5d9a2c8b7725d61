"""``optguide compare A B [C..]``."""

from __future__ import annotations

from typing import Any

import click

from optguide import format as fmt
from optguide.cli import output
from optguide.cli.options import complete_variant, session_options, settings_options
from optguide.cli.session import SessionRun, read_variants, run_session
from optguide.cli.variants import runtime_names
from optguide.errors import OptionError
from optguide.stats.comparison import Comparison

EPILOG = f"""\b
Examples:
  optguide compare fp32.xml int8.xml
  optguide compare model.xml @INFERENCE_PRECISION_HINT=f32 @hint=throughput,requests=4
  optguide compare model.xml model.onnx@runtime=onnxruntime --threads 2 --precision-hint f32
  optguide compare model.xml@openvino=2025.4 @openvino=2026.4
  optguide compare model.xml @device=GPU @device=AUTO:GPU,CPU --inputs real.npz

\b
Settings of a variant, besides OpenVINO's properties in capitals:
  device, hint, precision-hint, requests, batch, threads, inputs, shape.<input>, frames, feed, steps
                as the options above, which hold for all variants
  openvino, onnxruntime, torch
                the release that runs it, such as openvino=2025.4; installed once, apart from this one
  runtime       {", ".join(runtime_names())}; the first is the default
  name          what the tables call it
"""


@click.command(epilog=EPILOG)
@click.argument("variants", nargs=-1, metavar="A B [C]...", shell_complete=complete_variant)
@click.option(
    "--control/--no-control",
    default=True,
    help="Measure the first variant a second time, to see what a comparison says where nothing differs.",
)
@settings_options
@session_options
def compare(variants: tuple[str, ...], control: bool, **options: Any) -> None:
    """Compare models, or one model under several settings.

    Each variant is MODEL or MODEL@KEY=VALUE,KEY=VALUE; @KEY=VALUE alone is the model before it under other
    settings. The first is the one that the others are compared with. All take turns in one session, so
    whatever the machine does meets all of them alike.
    """
    if len(variants) < 2:
        raise OptionError(
            "A comparison needs two variants.",
            "Name a second model, or the first under other settings, such as @hint=throughput.",
        )
    built = read_variants(variants, options)
    run = run_session(f"compare {len(built)} variants", built, options, control=control)
    failures = run.result.failures
    output.deliver(
        "compare",
        as_json=options["as_json"],
        content=run.content,
        tables=lambda: _print(run, verbose=options["verbose"]),
        warnings=run.warnings,
        failures={name: failures[name] for name in failures if name != run.result.twin},
    )


def _print(run: SessionRun, *, verbose: bool) -> None:
    result, first, others = run.result, run.first, run.others
    output.table(
        "Each variant (95 % interval)",
        ("Variant", "Latency, median", "Throughput", "CPU time per input", "Peak memory"),
        [_variant_row(run, name) for name in (first, *others)],
    )
    output.table(
        "Of a call, what is no inference (95 % interval)",
        ("Variant", "Part", "Share", ""),
        [(name, *row) for name in (first, *others) for row in run.overhead_rows(name)],
    )
    rows = [
        [name, *_ratio_cells(result.compare(first, name), result.compare(first, name, "throughput"))]
        for name in others
    ]
    if result.control is not None and result.twin is not None:
        throughput = result.compare(first, result.twin, "throughput")
        rows.append([result.twin, *_ratio_cells(result.control, throughput)])
    output.table(
        f"Against {first}: above 1 is better (95 % interval)",
        ("Variant", "Latency", "Throughput", "CPU time"),
        rows,
    )
    output.table(
        f"Outputs against those of {first}, on the first inputs",
        ("Variant", ">Largest difference", ">Share of the largest output", ">Cosine similarity"),
        [_agreement_row(run, name) for name in others],
    )
    run.print_effective(verbose=verbose)
    run.print_closing()


def _variant_row(run: SessionRun, name: str) -> list[str]:
    result = run.result
    return [
        name,
        output.two_lines(result.latency(name)),
        output.two_lines(result.throughput(name)),
        output.two_lines(result.cpu_time(name)),
        fmt.quantity(result.series[name].peak_rss, "bytes"),
    ]


def _ratio_cells(latency: Comparison, throughput: Comparison) -> list[output.Cell]:
    return [
        output.comparison_cell(latency),
        output.comparison_cell(throughput),
        fmt.estimate(latency.cpu_ratio) if latency.cpu_ratio else "unknown",
    ]


def _agreement_row(run: SessionRun, name: str) -> list[str]:
    try:
        agreement = run.result.agreement(run.first, name)
    except OptionError as error:
        return [name, f"not compared: {error}", "", ""]
    if agreement.by_order:
        name += " (paired by their order, no names agree)"
    return [
        name,
        f"{agreement.max_abs:.2g}",
        fmt.quantity(agreement.max_rel, "share"),
        f"{agreement.cosine:.6f}",
    ]
