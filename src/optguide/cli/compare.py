"""``optguide compare A B [C..]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from optguide.cli.completion import complete_variant
from optguide.cli.options import session_options, settings_options
from optguide.errors import OptionError

if TYPE_CHECKING:
    from rich.text import Text

    from optguide.cli.session import Measured
    from optguide.stats.comparison import Comparison

__all__ = ["compare"]

EPILOG = """\b
Examples:
  optguide compare fp32.xml int8.xml
  optguide compare model.xml @INFERENCE_PRECISION_HINT=f32 @hint=throughput,requests=4
  optguide compare model.xml model.onnx@runtime=onnxruntime --threads 2 --precision-hint f32
  optguide compare model.xml @device=GPU @device=AUTO:GPU,CPU --inputs real.npz

\b
Settings of a variant, besides OpenVINO's properties in capitals:
  device, hint, precision-hint, requests, batch, threads, inputs, shape.<input>
                as the options above, which hold for all variants
  runtime       openvino (the default), onnxruntime, torch or torch.compile
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
    from optguide.cli import as_json, session
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.variants import build, common_settings, parse

    if len(variants) < 2:
        raise OptionError(
            "A comparison needs two variants.",
            "Name a second model, or the first under other settings, such as @hint=throughput.",
        )
    built = build(parse(variants), common_settings(options), allow_pickle=options["allow_pickle"])
    measured = session.run(
        f"compare {len(built)} variants",
        built,
        budget=options["budget"],
        precision=options["precision"],
        wait=options["wait"],
        control=control,
    )
    if options["as_json"]:
        as_json.emit("compare", as_json.session(measured))
    else:
        _print(measured, verbose=options["verbose"])
    for sentence in measured.warnings:
        warn(sentence)
    twin = measured.result.twin
    report_failures({name: error for name, error in measured.result.failures.items() if name != twin})


def _print(measured: Measured, *, verbose: bool) -> None:
    from optguide.cli import output as render
    from optguide.cli import session_tables

    result, first, others = measured.result, measured.first, measured.others
    render.table(
        "Each variant (95 % interval)",
        ("Variant", "Latency, median", "Throughput", "CPU time per input", "Peak memory"),
        [_variant_row(measured, name) for name in (first, *others)],
    )
    rows = [
        [name, *_ratio_cells(result.compare(first, name), result.compare(first, name, "throughput"))]
        for name in others
    ]
    if measured.control is not None and result.twin is not None:
        throughput = result.compare(first, result.twin, "throughput")
        rows.append([result.twin, *_ratio_cells(measured.control, throughput)])
    render.table(
        f"Against {first}: above 1 is better (95 % interval)",
        ("Variant", "Latency", "Throughput", "CPU time"),
        rows,
    )
    render.table(
        f"Outputs against those of {first}, on the first inputs",
        ("Variant", ">Largest difference", ">Share of the largest output", ">Cosine similarity"),
        [_agreement_row(measured, name) for name in others],
    )
    session_tables.differing(measured, verbose=verbose)
    session_tables.closing(measured)
    session_tables.machine_line(measured)


def _variant_row(measured: Measured, name: str) -> list[str]:
    from optguide import format as fmt

    result = measured.result
    numbers = (result.latency(name), result.throughput(name), result.cpu_time(name))
    memory = fmt.quantity(result.series[name].peak_rss, "bytes")
    return [name, *(fmt.estimate(number).replace(" (", "\n(") for number in numbers), memory]


def _ratio_cells(latency: Comparison, throughput: Comparison) -> list[str | Text]:
    """Ratios of latency and throughput with their verdicts, and of CPU time as the second witness."""
    from optguide import format as fmt
    from optguide.cli import output as render

    cells: list[str | Text] = [
        render.verdict(comparison.verdict, f"{fmt.estimate(comparison.ratio)}\n{comparison.verdict}")
        for comparison in (latency, throughput)
    ]
    return [*cells, fmt.estimate(latency.cpu_ratio) if latency.cpu_ratio else "unknown"]


def _agreement_row(measured: Measured, name: str) -> list[str]:
    from optguide import format as fmt

    try:
        found = measured.result.agreement(measured.first, name)
    except OptionError:
        return [name, "other shapes", "", ""]
    return [name, f"{found.max_abs:.2g}", fmt.quantity(found.max_rel, "share"), f"{found.cosine:.6f}"]
