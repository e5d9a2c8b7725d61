"""What ``optguide load`` prints: tables, or one JSON object.

``optguide load MODEL --rate 50``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
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
from optguide.errors import NotEnoughSamples, OptGuideError, OptionError

__all__ = ["Loads", "advice", "emit", "load", "show", "words"]

if TYPE_CHECKING:
    from optguide.bench.load import Limit, LoadPoint
    from optguide.bench.variant import Variant
    from optguide.stats.estimate import Estimate


_COLOURS = {"kept": "faster", "broke": "slower", "open": "inconclusive"}


@dataclass(frozen=True)
class Loads:
    """Load curves of the variants that did not fail.

    :param capacity: requests per second in a closed loop, where rates were found from it.
    """

    curves: Mapping[str, Sequence[LoadPoint]]
    seconds: float
    limit: Limit | None
    variants: Sequence[Variant]
    capacity: Mapping[str, Estimate] = field(default_factory=dict)
    failures: Mapping[str, OptGuideError] = field(default_factory=dict)

    @property
    def others_share(self) -> float:
        """Share of the machine's CPU that other processes used, at the rate where they used most."""
        shares = [point.others_share for curve in self.curves.values() for point in curve]
        return max((share for share in shares if not math.isnan(share)), default=math.nan)

    def highest(self, name: str) -> LoadPoint | None:
        """The highest rate at which a variant surely keeps the limit, if there is one."""
        from optguide.bench.load import highest_rate

        if self.limit is None:
            return None
        return highest_rate(self.curves[name], self.limit.percentile, self.limit.milliseconds)


def show(loads: Loads) -> None:
    """Print one table per variant, and what it comes to."""
    from optguide import format as fmt
    from optguide.cli import output as render
    from optguide.machine import Machine

    columns = [">Offered", ">Completed", "Median", "95th percentile", "99th percentile"]
    if loads.limit:
        columns.append(words(loads.limit))
    for name, curve in loads.curves.items():
        rows = [_row(point, loads.limit) for point in curve]
        render.table(f"{name}: latency since the request was due (95 % interval)", columns, rows)
        for point in curve:
            if point.void:
                render.paragraph(f"{_rate(point.offered)}: no latencies, because {point.void}.")
        if loads.limit:
            render.paragraph(_answer(loads, name, loads.limit))
        render.paragraph("")
    if loads.capacity:
        found = ", ".join(f"{name} {fmt.estimate(rate)}" for name, rate in loads.capacity.items())
        render.paragraph(f"In a closed loop: {found}.")
    render.paragraph(f"{fmt.duration(loads.seconds)} for each rate, arrivals of a Poisson process.")
    render.paragraph(f"{Machine.current().summary()}.")


def _row(point: LoadPoint, limit: Limit | None) -> list[Any]:
    from optguide.cli import output as render

    cells: list[Any] = [_rate(point.offered), _rate(point.achieved)]
    cells += [_latency(point, percentile) for percentile in (50, 95, 99)]
    if limit:
        word = point.against(limit)
        cells.append(render.verdict(_COLOURS[word], word))
    return cells


def _latency(point: LoadPoint, percentile: int) -> str:
    from optguide import format as fmt
    from optguide.stats.estimate import samples_needed

    if point.void:
        return "\N{EN DASH}"
    if percentile not in point.latencies:
        return f"needs {samples_needed(percentile)} requests,\nthere were {point.n}"
    return fmt.estimate(point.latencies[percentile]).replace(" (", "\n(")


def _answer(loads: Loads, name: str, limit: Limit) -> str:
    """The highest rate that keeps the limit, and how sure that is."""
    curve, best = loads.curves[name], loads.highest(name)
    if best is None:
        return f"No rate that was offered surely kept {words(limit)}."
    broken = [
        point.offered for point in curve if point.offered > best.offered and point.against(limit) == "broke"
    ]
    end = f"{_rate(min(broken))} broke it" if broken else "no rate that was offered surely broke it"
    return f"{words(limit)} was kept up to {_rate(best.offered)}; {end}."


def advice(loads: Loads) -> str:
    """What to offer where no rate kept the limit: more requests where they were too few, or fewer of them."""
    from optguide.bench.load_search import seconds_needed

    limit, points = loads.limit, [point for curve in loads.curves.values() for point in curve]
    if all(point.void and not point.overloaded for point in points):
        return "Let other work on this machine end, and measure again."
    few = [
        point.offered
        for point in points
        if limit and not point.void and limit.percentile not in point.latencies
    ]
    if limit is None or not few:
        return "Offer lower rates, or allow more time."
    seconds = math.ceil(seconds_needed(max(few), limit))
    return f"Rates up to {_rate(max(few))} had too few requests: give --seconds {seconds}s."


def words(limit: Limit) -> str:
    """``p99 ≤ 50 ms``."""
    return f"p{limit.percentile} \N{LESS-THAN OR EQUAL TO} {limit.milliseconds:g} ms"


def _rate(rate: float) -> str:
    return f"{rate:,.4g} requests/s"


def emit(loads: Loads) -> None:
    """Print the same as JSON, complete."""
    from optguide.cli import as_json
    from optguide.machine import Machine

    given = {variant.name: variant.to_dict(evidence=True) for variant in loads.variants}
    as_json.emit(
        "load",
        {
            "machine": Machine.current().to_dict(),
            "seconds": loads.seconds,
            "limit": asdict(loads.limit) if loads.limit else None,
            "capacity": {name: asdict(rate) for name, rate in loads.capacity.items()},
            "curves": [
                {
                    "name": name,
                    "variant": given[name],
                    "points": [_point(point, loads.limit) for point in curve],
                    **_found(loads, name),
                }
                for name, curve in loads.curves.items()
            ],
            "failures": [as_json.failure(name, error) for name, error in loads.failures.items()],
        },
    )


def _point(point: LoadPoint, limit: Limit | None) -> dict[str, Any]:
    def by_name(found: Mapping[int, Estimate]) -> dict[str, Any]:
        return {f"p{p}": asdict(found[p]) if p in found and not point.void else None for p in (50, 95, 99)}

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


def _found(loads: Loads, name: str) -> dict[str, Any]:
    """The highest rate that keeps the limit, and the interval up to the lowest that breaks it."""
    from optguide.bench.load import limit_rate
    from optguide.cli import as_json

    limit, best = loads.limit, loads.highest(name)
    if limit is None:
        return {}
    interval = partial(limit_rate, loads.curves[name], limit.percentile, limit.milliseconds)
    return {"highest_rate": best.offered if best else None, "limit_rate": as_json.estimate(interval)}


if TYPE_CHECKING:
    from optguide.bench.load import Limit
    from optguide.bench.variant import Variant
    from optguide.cli.load import Loads


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
    from optguide.bench.load import Limit
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.session import busy
    from optguide.cli.variants import build, common_settings, parse

    asked = _rates(single, rates)
    if seconds is not None and not seconds > 0:
        raise OptionError("Rates of no length show nothing.", "Use --seconds above zero, such as 5s.")
    limit = Limit(*slo) if slo else None
    built = build(parse(variants), common_settings(options), allow_pickle=options["allow_pickle"])
    found = _measure(built, asked, seconds, limit, options["wait"])
    (emit if options["as_json"] else show)(found)
    for sentence in busy(found.others_share):
        warn(sentence)
    report_failures(found.failures)
    if limit and not any(found.highest(name) for name in found.curves):
        raise NotEnoughSamples(f"No rate that was offered surely kept {words(limit)}.", advice(found))


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
    from optguide.bench.load import load_curves
    from optguide.bench.load_search import length, search_load
    from optguide.cli.load import Loads
    from optguide.cli.session import machine_held

    label = f"load of {variants[0].name}" if len(variants) == 1 else f"load of {len(variants)} variants"
    with machine_held(f"optguide {label}", wait):
        if rates is not None:
            seconds = length(rates, limit) if seconds is None else seconds
            _refuse_too_many(max(rates), seconds)
            curves = load_curves(variants, rates, seconds=seconds, label=label)
            return Loads(curves, seconds, limit, variants)
        found = search_load(variants, seconds=seconds, limit=limit, label=label)
        return Loads(found.curves, found.seconds, limit, variants, found.capacity, found.failures)
