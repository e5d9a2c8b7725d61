"""``optguide load MODEL --rate 50``: latency while requests arrive, whether the model is ready or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click

from optguide import format as fmt
from optguide.bench.load import PERCENTILES, LatencyLimit, LoadPoint, highest_rate, limit_rate, load_curves
from optguide.bench.load_search import LoadSearch, length, search_load, seconds_needed
from optguide.bench.variant import Variant
from optguide.cli import output
from optguide.cli.options import LATENCY_LIMIT, common_options, models_argument, settings_options, time_option
from optguide.cli.session import machine_held, read_variants, subject
from optguide.errors import NotEnoughSamples, OptionError
from optguide.machine import Machine
from optguide.machine.noise import busy_warnings
from optguide.stats.estimate import Estimate, samples_needed

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

MOST_REQUESTS = 5_000_000
"""Of one rate: each has a time of arrival and two of answering, in memory and on their way here."""

_STYLES = {"kept": "faster", "broke": "slower", "open": "inconclusive"}


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
    type=LATENCY_LIMIT,
    metavar="LIMIT",
    help="Latency limit, such as p99=50ms: says which is the highest rate that keeps it.",
)
@time_option(
    "--seconds",
    help="Length of each rate. Without it 5s, or as many as the percentile of --slo needs, up to 60s.",
)
@settings_options
@common_options
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
    offered = _rates(single, rates)
    limit = LatencyLimit(*slo) if slo else None
    built = read_variants(variants, options)
    run = _measure(built, offered, seconds, limit, options["wait"])
    points = [point for curve in run.curves.values() for point in curve]
    output.deliver(
        "load",
        as_json=options["as_json"],
        content=lambda: _content(run, limit, built),
        tables=lambda: print_run(run, limit),
        # At the rate where they used most.
        warnings=busy_warnings(max((p.others_share for p in points if p.others_share > 0), default=math.nan)),
        failures=run.failures,
    )
    if limit and not any(_highest(curve, limit) for curve in run.curves.values()):
        raise NotEnoughSamples(f"No rate that was offered surely kept {limit}.", advice(points, limit))


def _highest(curve: Sequence[LoadPoint], limit: LatencyLimit) -> LoadPoint | None:
    """The highest rate at which a variant surely keeps the limit, if there is one."""
    return highest_rate(curve, limit.percentile, limit.milliseconds)


def _rates(single: Sequence[float], listed: str | None) -> tuple[float, ...] | None:
    """The rates of the options; ``None`` where the command is to find rates itself."""
    if single and listed is not None:
        raise OptionError("Rates come from --rate or from --rates, not from both.", "Leave out one of them.")
    if not single and (listed is None or listed.strip() == AUTO):
        return None
    try:
        rates = tuple(dict.fromkeys(single or [float(part) for part in (listed or "").split(",")]))
    except ValueError:
        raise OptionError(
            f"--rates {listed} is no list of numbers.", "Write numbers with commas between, or auto."
        ) from None
    for rate in rates:
        if not 0 < rate < float("inf"):
            raise OptionError(
                f"{rate:g} requests per second cannot be offered.", "Use rates above zero, such as 50."
            )
    return rates


def _measure(
    variants: Sequence[Variant],
    rates: tuple[float, ...] | None,
    seconds: float | None,
    limit: LatencyLimit | None,
    wait: float,
) -> LoadSearch:
    label = f"load of {subject(variants)}"
    with machine_held(f"optguide {label}", wait):
        if rates is not None:
            seconds = length(rates, limit) if seconds is None else seconds
            _refuse_too_many(max(rates), seconds)
            return LoadSearch({}, load_curves(variants, rates, seconds=seconds, label=label), seconds, {})
        return search_load(variants, seconds=seconds, limit=limit, label=label)


def _refuse_too_many(rate: float, seconds: float) -> None:
    if rate * seconds > MOST_REQUESTS:
        raise OptionError(
            f"{rate:g} requests per second for {seconds:g} s are too many to keep account of.",
            f"Offer at most {MOST_REQUESTS:,} requests at each rate.",
        )


def print_run(run: LoadSearch, limit: LatencyLimit | None) -> None:
    """Print one table per variant, and what it comes to."""
    columns = [">Offered", ">Completed", "Median", "95th percentile", "99th percentile"]
    if limit:
        columns.append(str(limit))
    for name, curve in run.curves.items():
        rows = [_row(point, limit) for point in curve]
        output.table(f"{name}: latency since the request was due (95 % interval)", columns, rows)
        for point in curve:
            if point.void:
                output.paragraph(f"{_rate(point.offered)}: no latencies, because {point.void}.")
        if limit:
            output.paragraph(_highest_text(curve, limit))
        output.paragraph("")
    if run.capacity:
        capacities = ", ".join(f"{name} {fmt.estimate(rate)}" for name, rate in run.capacity.items())
        output.paragraph(f"In a closed loop: {capacities}.")
    output.input_lines({name: curve[0].inputs for name, curve in run.curves.items() if curve})
    output.paragraph(f"{fmt.duration(run.seconds)} for each rate, arrivals of a Poisson process.")
    output.machine_line()


def _row(point: LoadPoint, limit: LatencyLimit | None) -> list[output.Cell]:
    cells: list[output.Cell] = [_rate(point.offered), _rate(point.achieved)]
    cells += [_latency(point, percentile) for percentile in PERCENTILES]
    if limit:
        relation = point.against(limit)
        cells.append(output.verdict(_STYLES[relation], relation))
    return cells


def _latency(point: LoadPoint, percentile: int) -> str:
    if point.void:
        return output.MISSING
    if percentile not in point.latencies:
        return f"needs {samples_needed(percentile)} requests,\nthere were {point.n}"
    return output.two_lines(point.latencies[percentile])


def _highest_text(curve: Sequence[LoadPoint], limit: LatencyLimit) -> str:
    """The highest rate that keeps the limit, and the lowest that was shown not to."""
    highest = _highest(curve, limit)
    if highest is None:
        return f"No rate that was offered surely kept {limit}."
    above = [
        point.offered
        for point in curve
        if point.offered > highest.offered and point.against(limit) == "broke"
    ]
    end = f"{_rate(min(above))} broke it" if above else "no rate that was offered surely broke it"
    return f"{limit} was kept up to {_rate(highest.offered)}; {end}."


def advice(points: Sequence[LoadPoint], limit: LatencyLimit) -> str:
    """What to change where no rate kept the limit: more time where requests were too few, or lower rates."""
    if all(point.void and not point.overloaded for point in points):
        return "Let other work on this machine end, and measure again."
    too_few = [p.offered for p in points if not p.void and limit.percentile not in p.latencies]
    if not too_few:
        return "Offer lower rates, or allow more time."
    seconds = math.ceil(seconds_needed(max(too_few), limit))
    return f"Rates up to {_rate(max(too_few))} had too few requests: give --seconds {seconds}s."


def _rate(rate: float) -> str:
    return f"{rate:,.4g} requests/s"


def _content(run: LoadSearch, limit: LatencyLimit | None, variants: Sequence[Variant]) -> dict[str, Any]:
    described = {variant.name: variant.to_dict(evidence=True) for variant in variants}
    return {
        "machine": Machine.current().to_dict(),
        "seconds": run.seconds,
        "limit": limit,
        "capacity": run.capacity,
        "curves": [
            {
                "name": name,
                "variant": described[name],
                "inputs": curve[0].inputs if curve else None,
                "points": [_point(point, limit) for point in curve],
                **(_limit_fields(curve, limit) if limit else {}),
            }
            for name, curve in run.curves.items()
        ],
        "failures": output.failure_fields(run.failures),
    }


def _point(point: LoadPoint, limit: LatencyLimit | None) -> dict[str, Any]:
    def by_name(estimates: Mapping[int, Estimate]) -> dict[str, Estimate | None]:
        return {f"p{p}": None if point.void else estimates.get(p) for p in PERCENTILES}

    return {
        "offered": point.offered,
        "achieved": point.achieved,
        "requests": point.n,
        "latency": by_name(point.latencies),
        "service_time": by_name(point.served),
        "void": point.void or None,
        "overloaded": point.overloaded,
        "others_share": point.others_share,
        "limit": point.against(limit) if limit else None,
    }


def _limit_fields(curve: Sequence[LoadPoint], limit: LatencyLimit) -> dict[str, Any]:
    """The highest rate that keeps the limit, and the interval up to the lowest that breaks it."""
    highest = _highest(curve, limit)
    rate = partial(limit_rate, curve, limit.percentile, limit.milliseconds)
    return {"highest_rate": highest.offered if highest else None, "limit_rate": output.if_enough(rate)}
