"""The page's figures, each for light and for dark readers, inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from optguide import plots
from optguide.bench.load import PERCENTILES, LoadPoint, highest_rate
from optguide.optimize.candidate import PRECISIONS, Candidate
from optguide.optimize.outcome import LoadSample, Outcome, Quality, Speed, Standing
from optguide.optimize.report.decision import per_input
from optguide.stats.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST = 18
"""Configurations one figure names."""

ABBREVIATIONS = {
    " with accuracy control": " controlled",
    "default precision": "default",
    " streams": " str.",
    " stream": " str.",
    " threads": " thr.",
    " thread": " thr.",
    "default settings": "nothing set",
    " requests": " req.",
    " request": " req.",
}


@dataclass(frozen=True)
class Picture:
    """A figure as two images inside the page.

    :param light: SVG as a ``data:`` address.
    :param width: in CSS pixels, as is ``height``.
    """

    light: str
    dark: str
    alt: str
    caption: str
    width: int
    height: int


def trade_off(outcome: Outcome) -> Picture | None:
    """Quality against speed, one point for the best configuration of each precision.

    ``None`` where fewer than two precisions have both.
    """
    judged = {
        artifact.precision: artifact.quality
        for artifact in outcome.state.artifacts
        if artifact.quality is not None
    }
    points, quality = [], None
    for standing in _fastest(outcome):
        judgement = judged.get(standing.candidate.precision)
        cost = _cost(standing.speed, outcome)
        if judgement is not None and cost is not None:
            quality = judgement
            points.append((short(standing.candidate), cost, judgement.value))
    if quality is None or len(points) < 2:
        return None
    points = [(name, cost.scaled(*_fine(points)), value) for name, cost, value in points]
    y = _quality_name(quality)
    x = "Time per input" if outcome.state.settings.goal == "throughput" else _latency_name(outcome)
    caption = (
        "The best configuration of each precision. Filled marks on the line: none is better in both. "
        "Whiskers are 95 % intervals."
    )
    if quality.proxy:
        caption += " The vertical axis is a proxy: it compares with the 32-bit model and not with labels."
    return _drawn(
        lambda: plots.pareto(points, x_quantity=x, y_quantity=y),
        alt=f"{y} against {x.lower()} of {len(points)} configurations; their values are in the tables.",
        caption=caption,
    )


def frontier(outcome: Outcome) -> Picture | None:
    """Latency against throughput of the configurations that came farthest; ``None`` with fewer than two."""
    points = points_of(outcome)
    if len(points) < 2:
        return None
    limit = outcome.state.settings.limit
    chosen = winner_name(outcome) if outcome.decision.met is not False else None
    caption = (
        "Every point is from the last session its configuration took part in; the ring is the winner. "
        "Names are shortened: str. are streams, thr. threads, req. requests."
    )
    if limit is not None:
        caption += f" Latencies are p{limit.percentile}, and the dashed line is the limit."
    left_out = sum(s.speed is not None for s in outcome.decision.standings) - len(points)
    if left_out > 0:
        caption += f" {left_out} more are in the table only."
    factor, unit = _fine(points)
    scaled = [(name, latency.scaled(factor, unit), speed, group) for name, latency, speed, group in points]
    most = None if limit is None else limit.milliseconds * factor
    return _drawn(
        lambda: plots.frontier(scaled, limit=most, chosen=chosen),
        alt=f"Throughput against latency of {len(points)} configurations; their values are in the table.",
        caption=caption,
    )


def points_of(outcome: Outcome) -> list[tuple[str, Estimate, Estimate, str]]:
    """Name, latency, throughput and precision of what :func:`frontier` draws, at most :data:`MOST`."""
    key = outcome.state.settings.percentile
    named = (outcome.decision.winner, outcome.decision.default, outcome.decision.hint)
    measured = [s for s in outcome.decision.standings if s.speed is not None and key in s.speed.latency]
    ordered = sorted(measured, key=lambda s: (s.candidate.name not in named, _rank(s, outcome)))
    return [
        (
            short(s.candidate),
            s.speed.latency[key],
            per_input(s.speed.throughput),
            PRECISIONS[s.candidate.precision],
        )
        for s in ordered[:MOST]
        if s.speed is not None
    ]


def load(outcome: Outcome) -> Iterator[tuple[str, Picture]]:
    """One latency curve per configuration that was measured under load."""
    limit = outcome.state.settings.limit
    for name, samples in outcome.state.load.items():
        points = [_load_point(sample) for sample in samples]
        if not points:
            continue
        highest = highest_rate(points, limit.percentile, limit.milliseconds) if limit else None
        yield (
            name,
            _drawn(
                partial(plots.load_curve, points, limit.milliseconds if limit else None, highest=highest),
                alt=f"Latency percentiles of {name} at {len(points)} offered rates; the values are below.",
                caption=f"{name}. Latency counts from the moment a request was due, waiting included.",
            ),
        )


def layers(outcome: Outcome) -> Iterator[tuple[str, Picture]]:
    """The slowest layers before and after."""
    for stage, times in outcome.state.layers.items():
        if times:
            rows = [(layer.name, layer.time, layer.precision) for layer in times]
            yield (
                stage,
                _drawn(
                    partial(plots.layer_profile, rows, top=10),
                    alt=f"Time of the slowest layers {stage}, with their precision; the values are below.",
                    caption=f"The slowest layers {stage}; colour and hatching: precision, as reported.",
                ),
            )


def short(candidate: Candidate) -> str:
    """A candidate's name where there is little room; as unique as the name."""
    name = candidate.name
    for word, abbreviation in ABBREVIATIONS.items():
        name = name.replace(word, abbreviation)
    return name


def winner_name(outcome: Outcome) -> str | None:
    """What :func:`points_of` calls the winner."""
    standing = outcome.decision.standing(outcome.decision.winner)
    return short(standing.candidate) if standing else None


def _fastest(outcome: Outcome) -> list[Standing]:
    """Of each precision the best configuration in the goal's quantity or the winner, and the default."""
    measured = [standing for standing in outcome.decision.standings if standing.speed is not None]
    best: dict[str, Standing] = {}
    for standing in sorted(
        measured, key=lambda s: (s.candidate.name != outcome.decision.winner, _rank(s, outcome))
    ):
        name = standing.candidate.name
        best.setdefault(name if name == outcome.decision.default else standing.candidate.precision, standing)
    return list(best.values())


def _rank(standing: Standing, outcome: Outcome) -> float:
    cost = _cost(standing.speed, outcome)
    return cost.value if cost else float("inf")


def _cost(speed: Speed | None, outcome: Outcome) -> Estimate | None:
    """What the goal wants little of, in ms: latency, or time per input."""
    if speed is None:
        return None
    if outcome.state.settings.goal == "latency":
        return speed.latency.get(outcome.state.settings.percentile)
    rate = speed.throughput
    ends = [1e3 / end if end > 0 else float("inf") for end in (rate.value, rate.high, rate.low)]
    return Estimate(ends[0], ends[1], ends[2], "ms", rate.n, rate.method)


def _fine(points: Sequence[tuple[str, Estimate, *tuple[Any, ...]]]) -> tuple[float, str]:
    """Factor and unit in which times in ms are drawn: microseconds where all are far below one."""
    return (1e3, "us") if max(point[1].value for point in points) < 0.1 else (1.0, "ms")


def _latency_name(outcome: Outcome) -> str:
    percentile = outcome.state.settings.percentile
    return "Latency" if percentile == "p50" else f"Latency {percentile}"


def _quality_name(quality: Quality) -> str:
    name = quality.metric[:1].upper() + quality.metric[1:]
    return f"{name}, a proxy" if quality.proxy else name


def _load_point(sample: LoadSample) -> LoadPoint:
    latencies = {p: sample.latencies[f"p{p}"] for p in PERCENTILES if f"p{p}" in sample.latencies}
    count = max((estimate.n for estimate in latencies.values()), default=0)
    return LoadPoint(sample.offered, sample.achieved, latencies, count, void=sample.void)


def _drawn(draw: Callable[[], Figure], *, alt: str, caption: str) -> Picture:
    with plots.style("light"):
        figure = draw()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    light = buffer.getvalue().decode()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(_address(light), _address(plots.darkened(light)), alt, caption, width, height)


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode('ascii')}"
