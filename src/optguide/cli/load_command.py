"""``optguide load MODEL --rate 50``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import (
    Duration,
    LatencyLimit,
    debug_option,
    json_option,
    models_argument,
    settings_options,
    wait_option,
)
from optguide.errors import NotEnoughSamples, OptionError

if TYPE_CHECKING:
    from optguide.cli.load_output import Loads
    from optguide.measuring.limit import Limit
    from optguide.measuring.variant import Variant

__all__ = ["load"]

EPILOG = """\b
Examples:
  optguide load model.xml
  optguide load model.xml --slo p99=50ms --hint throughput
  optguide load model.xml --rate 50 --rate 100 --seconds 20s
  optguide load model.xml@hint=latency @hint=throughput --rates auto --slo p95=30ms --json

\b
Settings of a variant are those of `optguide compare`.
Exit status 1 also says that no rate was shown to keep the limit of --slo.
"""

AUTO = "auto"

MOST = 5_000_000
"""Requests of one rate: each has a time of arrival and two of answering, in memory and on their way here."""


@click.command(epilog=EPILOG)
@models_argument
@click.option(
    "--rate",
    "single",
    multiple=True,
    type=float,
    metavar="N",
    help="Requests per second to offer; give it several times for several rates.",
)
@click.option(
    "--rates",
    metavar="LIST",
    help="Several rates with commas between, or auto (the default without --rate): shares of what the fastest"
    " variant completes in a closed loop, and rates near the limit of --slo.",
)
@click.option(
    "--slo",
    type=LatencyLimit(),
    metavar="LIMIT",
    help="Latency limit, such as p99=50ms: says which is the highest rate that keeps it.",
)
@click.option(
    "--seconds",
    type=Duration(),
    metavar="TIME",
    help="Length of each rate. Without it 5s, or as many as the percentile of --slo needs, up to 60s.",
)
@settings_options
@wait_option
@json_option
@debug_option
def load(
    variants: tuple[str, ...],
    single: tuple[float, ...],
    rates: str | None,
    slo: tuple[int, float] | None,
    seconds: float | None,
    **options: Any,
) -> None:
    """Measure latency while requests arrive at a given rate, whether the model is ready or not.

    Requests arrive at random times drawn beforehand (an open loop), and a latency begins when its request was
    due. One request is served at a time, or several with --requests or --hint throughput. Variants are
    written as for `optguide compare`; all get the same arrivals.
    """
    from optguide.cli import load_output as output
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.session import busy
    from optguide.cli.variants import build, common_settings, parse
    from optguide.measuring.limit import Limit

    asked = _rates(single, rates)
    if seconds is not None and not seconds > 0:
        raise OptionError("Rates of no length show nothing.", "Use --seconds above zero, such as 5s.")
    limit = Limit(*slo) if slo else None
    built = build(parse(variants), common_settings(options), allow_pickle=options["allow_pickle"])
    found = _measure(built, asked, seconds, limit, options["wait"])
    (output.emit if options["as_json"] else output.show)(found)
    for sentence in busy(found.others_share):
        warn(sentence)
    report_failures(found.failures)
    if limit and not any(found.highest(name) for name in found.curves):
        raise NotEnoughSamples(
            f"No rate that was offered surely kept {output.words(limit)}.", output.advice(found)
        )


def _rates(single: Sequence[float], listed: str | None) -> tuple[float, ...] | None:
    """The rates that were asked for; none where they are to be found.

    :raises OptionError: rates that cannot be offered, or two ways to give them.
    """
    if single and listed is not None:
        raise OptionError("Rates come from --rate or from --rates, not from both.", "Leave out one of them.")
    if not single and (listed is None or listed.strip() == AUTO):
        return None
    try:
        found = tuple(dict.fromkeys(single or [float(part) for part in (listed or "").split(",")]))
    except ValueError:
        raise OptionError(
            f"--rates {listed} is no list of numbers.", "Write numbers with commas between, or auto."
        ) from None
    for rate in found:
        if not 0 < rate < float("inf"):
            raise OptionError(
                f"{rate:g} requests per second cannot be offered.", "Use rates above zero, such as 50."
            )
    return found


def _refuse_too_many(rate: float, seconds: float) -> None:
    if rate * seconds > MOST:
        raise OptionError(
            f"{rate:g} requests per second for {seconds:g} s are too many to keep account of.",
            f"Offer at most {MOST:,} requests at each rate.",
        )


def _measure(
    variants: Sequence[Variant],
    rates: tuple[float, ...] | None,
    seconds: float | None,
    limit: Limit | None,
    wait: float,
) -> Loads:
    from optguide.cli.load_output import Loads
    from optguide.cli.session import machine_held
    from optguide.measuring.load_search import length, search_load
    from optguide.measuring.openloop import load_curves

    label = f"load of {variants[0].name}" if len(variants) == 1 else f"load of {len(variants)} variants"
    with machine_held(f"optguide {label}", wait):
        if rates is not None:
            seconds = length(rates, limit) if seconds is None else seconds
            _refuse_too_many(max(rates), seconds)
            curves = load_curves(variants, rates, seconds=seconds, label=label)
            return Loads(curves, seconds, limit, variants)
        found = search_load(variants, seconds=seconds, limit=limit, label=label)
        return Loads(found.curves, found.seconds, limit, variants, found.capacity, found.failures)
