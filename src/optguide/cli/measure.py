"""``optguide measure MODEL``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from optguide.cli.completion import complete_variant
from optguide.cli.options import session_options, settings_options

if TYPE_CHECKING:
    from optguide.cli.session import Measured

__all__ = ["measure"]

EPILOG = """\b
Examples:
  optguide measure model.xml
  optguide measure model.onnx --shape input_ids=1,128 --hint throughput
  optguide measure model.xml@INFERENCE_PRECISION_HINT=f32 --budget 30s --precision 1%
  optguide measure model.onnx@runtime=onnxruntime --json
"""


@click.command(epilog=EPILOG)
@click.argument("model", shell_complete=complete_variant)
@settings_options
@session_options
def measure(model: str, **options: Any) -> None:
    """Measure latency, throughput, CPU time and memory of one model.

    MODEL is an OpenVINO IR, ONNX, TensorFlow Lite, PaddlePaddle or TensorFlow file, the folder of a
    SavedModel, or a torch.export .pt2 file. Settings may follow it: MODEL@KEY=VALUE,KEY=VALUE.
    """
    from optguide.cli import as_json, session, variants
    from optguide.cli.errors import warn

    built = variants.build(
        variants.parse([model]), variants.common_settings(options), allow_pickle=options["allow_pickle"]
    )
    measured = session.run(
        f"measure {built[0].name}",
        built,
        budget=options["budget"],
        precision=options["precision"],
        wait=options["wait"],
    )
    if options["as_json"]:
        as_json.emit("measure", as_json.session(measured))
    else:
        _print(measured, verbose=options["verbose"])
    for sentence in measured.warnings:
        warn(sentence)


def _print(measured: Measured, *, verbose: bool) -> None:
    from optguide import format as fmt
    from optguide.cli import output as render
    from optguide.cli import session_tables
    from optguide.cli.as_json import PERCENTILES

    result, name = measured.result, measured.first
    series = result.series[name]
    throughput, cpu_time = result.throughput(name), result.cpu_time(name)
    rows = [_latency_row(measured, percentile) for percentile in PERCENTILES]
    rows += [
        ("Throughput", fmt.estimate(throughput), f"{throughput.n} rounds"),
        ("CPU time per input", fmt.estimate(cpu_time), f"{cpu_time.n} rounds"),
        ("Peak memory of the process", fmt.quantity(series.peak_rss, "bytes"), ""),
        ("Import, read and compile", fmt.duration(series.load_seconds), "once"),
    ]
    if series.frames > 1:
        rows.append(("Inputs per inference", str(series.frames), ""))
    render.table(name, ("Quantity", "Value (95 % interval)", "From"), rows)
    session_tables.effective(series.effective, verbose=verbose)
    session_tables.closing(measured)
    session_tables.machine_line(measured)


def _latency_row(measured: Measured, percentile: int) -> tuple[str, str, str]:
    from optguide import format as fmt
    from optguide.errors import NotEnoughSamples
    from optguide.stats.estimate import samples_needed

    title = "Latency, median" if percentile == 50 else f"Latency, {percentile}th percentile"
    try:
        found = measured.result.latency(measured.first, percentile)
    except NotEnoughSamples:
        blocks = measured.result.series[measured.first].blocks
        count = sum(len(block.latencies_ms) for block in blocks)
        needed = samples_needed(percentile)
        return title, f"needs {needed} samples; give a larger --budget", f"{count} samples"
    return title, fmt.estimate(found), f"{found.n:,} samples"
