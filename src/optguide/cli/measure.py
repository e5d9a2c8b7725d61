"""``optguide measure MODEL``."""

from __future__ import annotations

from typing import Any

import click

from optguide import format as fmt
from optguide.bench.load import PERCENTILES
from optguide.cli import output
from optguide.cli.options import complete_variant, session_options, settings_options
from optguide.cli.session import SessionRun, read_variants, run_session
from optguide.errors import NotEnoughSamples
from optguide.stats.estimate import samples_needed

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
    variants = read_variants([model], options)
    run = run_session(f"measure {variants[0].name}", variants, options)
    output.deliver(
        "measure",
        as_json=options["as_json"],
        content=run.content,
        tables=lambda: _print(run, verbose=options["verbose"]),
        warnings=run.warnings,
    )


def _print(run: SessionRun, *, verbose: bool) -> None:
    result, name = run.result, run.first
    series = result.series[name]
    throughput, cpu_time = result.throughput(name), result.cpu_time(name)
    rows = [_latency_row(run, percentile) for percentile in PERCENTILES]
    rows += [
        ("Throughput", fmt.estimate(throughput), f"{throughput.n} rounds"),
        *run.overhead_rows(name),
        ("CPU time per input", fmt.estimate(cpu_time), f"{cpu_time.n} rounds"),
        ("Peak memory of the process", fmt.quantity(series.peak_rss, "bytes"), ""),
        ("Import, read and compile", fmt.duration(series.load_seconds), "once"),
    ]
    first_sizes = {sizes[0] for _, *sizes in series.inputs.shapes.values() if len(sizes) > 1}
    if series.frames > 1 or first_sizes - {1}:
        reason = series.first_call.counted_by or "no batch that all inputs and outputs share; see --frames"
        rows.append(("Inputs per inference", str(series.frames), reason))
    output.table(name, ("Quantity", "Value (95 % interval)", "From"), rows)
    run.print_effective(verbose=verbose)
    run.print_closing()


def _latency_row(run: SessionRun, percentile: int) -> tuple[str, str, str]:
    title = "Latency, median" if percentile == 50 else f"Latency, {percentile}th percentile"
    try:
        latency = run.result.latency(run.first, percentile)
    except NotEnoughSamples:
        count = sum(len(block.latencies_ms) for block in run.result.series[run.first].blocks)
        needed = samples_needed(percentile)
        return title, f"needs {needed} samples; give a larger --budget", f"{count} samples"
    return title, fmt.estimate(latency), f"{latency.n:,} samples"
