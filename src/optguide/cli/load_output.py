"""What ``optguide load`` prints: tables, or one JSON object."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from optguide.errors import OptGuideError

if TYPE_CHECKING:
    from optguide.measuring.estimate import Estimate
    from optguide.measuring.limit import Limit
    from optguide.measuring.openloop import LoadPoint
    from optguide.measuring.variant import Variant

__all__ = ["Loads", "advice", "emit", "show", "words"]

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
        from optguide.measuring.openloop import highest_rate

        if self.limit is None:
            return None
        return highest_rate(self.curves[name], self.limit.percentile, self.limit.milliseconds)


def show(loads: Loads) -> None:
    """Print one table per variant, and what it comes to."""
    from optguide import format as fmt
    from optguide.cli import render
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
    from optguide.cli import render

    cells: list[Any] = [_rate(point.offered), _rate(point.achieved)]
    cells += [_latency(point, percentile) for percentile in (50, 95, 99)]
    if limit:
        word = point.against(limit)
        cells.append(render.verdict(_COLOURS[word], word))
    return cells


def _latency(point: LoadPoint, percentile: int) -> str:
    from optguide import format as fmt
    from optguide.measuring.estimate import samples_needed

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
    from optguide.measuring.load_search import seconds_needed

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
    from optguide.cli import as_json
    from optguide.measuring.openloop import limit_rate

    limit, best = loads.limit, loads.highest(name)
    if limit is None:
        return {}
    interval = partial(limit_rate, loads.curves[name], limit.percentile, limit.milliseconds)
    return {"highest_rate": best.offered if best else None, "limit_rate": as_json.estimate(interval)}
