"""``optguide profile MODEL``."""

from __future__ import annotations

from typing import Any

import click

from optguide.cli.options import (
    Duration,
    debug_option,
    json_option,
    models_argument,
    settings_options,
    wait_option,
)
from optguide.errors import OptionError

__all__ = ["profile"]

EPILOG = """\b
Examples:
  optguide profile model.xml
  optguide profile model.xml --top 30 --precision-hint f32
  optguide profile fp32.xml int8.xml
  optguide profile model.xml @INFERENCE_PRECISION_HINT=f32 --json

\b
Settings of a variant are those of `optguide compare`.
"""


@click.command(epilog=EPILOG)
@models_argument
@click.option(
    "--top", type=int, default=12, show_default=True, metavar="N", help="How many layers to list one by one."
)
@click.option(
    "--budget",
    type=Duration(),
    default="8s",
    show_default=True,
    metavar="TIME",
    help="Time for counted inferences, shared by all variants; compiling comes on top.",
)
@settings_options
@wait_option
@json_option
@debug_option
def profile(variants: tuple[str, ...], top: int, budget: float, **options: Any) -> None:
    """Show which layers of a model take how long, and in which precision each one runs.

    Layers are those that were compiled: what OpenVINO fused into another layer is in that one's time.
    Variants are written as for `optguide compare`; the others' kinds of layers are compared with the first's.
    """
    from optguide.cli import profile_output
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.session import busy, machine_held
    from optguide.cli.variants import build, common_settings, parse, refuse
    from optguide.measuring.layers import layers

    specs, common = parse(variants), common_settings(options)
    refuse("requests", specs, common, "Layers are counted one inference after another")
    if top < 1:
        raise OptionError(f"--top {top} lists no layer.", "Use a number from 1.")
    if not budget > 0:
        raise OptionError("A budget of 0 counts nothing.", "Use a budget above zero.")
    built = build(specs, common, allow_pickle=options["allow_pickle"])
    label = f"layers of {built[0].name}" if len(built) == 1 else f"layers of {len(built)} variants"
    with machine_held(f"optguide {label}", options["wait"]):
        times = layers(built, seconds=budget, label=label)
    if options["as_json"]:
        profile_output.emit(times, built, budget)
    else:
        profile_output.show(times, top)
    for sentence in busy(times.others_share):
        warn(sentence)
    report_failures(times.failures)
