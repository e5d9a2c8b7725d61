"""The small drawing in a claim box: where an interval lies in relation to what was claimed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Literal

from optguide.format import estimate
from optguide.plots._axes import Span, unit_name

WIDTH, HEIGHT = 320, 58
MARGIN = 10
AXIS = 30
TEXT_UP, TEXT_DOWN = 13, 53


def verdict_interval_svg(  # noqa: PLR0913  an interval, its bounds and their words
    low: float,
    high: float,
    value: float,
    bounds: float | Sequence[float],
    *,
    label: str,
    unit: str = "ratio",
    holds: Literal["above", "below", "between"] | None = None,
    words: str = "",
) -> str:
    """An inline SVG: an axis, the interval with its value, and the bound or bounds it is held against.

    It follows the page's theme through ``currentColor`` and can be restyled by the classes ``og-interval``,
    ``og-interval__axis``, ``__holds``, ``__bound``, ``__range`` and ``__value``. The axis is logarithmic
    where all numbers are positive and span more than a factor of five. What lies far outside is cut off with
    an arrow head.

    :param low: lower end of the 95 % interval.
    :param high: upper end.
    :param value: the estimate.
    :param bounds: one threshold, or the two ends of a range.
    :param label: a plain-text description for readers who cannot see the drawing.
    :param unit: unit of all numbers, as in :class:`~optguide.stats.estimate.Estimate`.
    :param holds: the side of the bounds where the claim holds; it is shaded. ``None`` shades nothing.
    :param words: value and interval as text, such as a ratio that says its direction.
    """
    edges = sorted([bounds] if isinstance(bounds, int | float) else bounds)
    low, high = min(low, value), max(high, value)
    place = _scale([value, *edges], low, high)
    left, right, middle = place(low), place(high), place(value)
    limits = " to ".join(_chosen(edge, unit) for edge in edges)
    numbers = words or estimate(Span(value, low, high, unit))
    title = f"{label}: {numbers}, held against {limits}"
    return "".join(
        [
            f'<svg class="og-interval" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" ',
            'role="img" xmlns="http://www.w3.org/2000/svg" style="max-width:100%;height:auto" ',
            'font-size="13" fill="currentColor" stroke="currentColor">',
            f"<title>{escape(title)}</title>",
            _holding(holds, [place(edge) for edge in edges]),
            f'<path class="og-interval__axis" d="M0 {AXIS}H{WIDTH}" stroke-width="1" opacity="0.55"/>',
            *(
                f'<path class="og-interval__bound" d="M{place(edge):.1f} {AXIS - 12}V{AXIS + 10}" '
                'stroke-width="1.5" stroke-dasharray="3 2"/>'
                for edge in edges
            ),
            _range(left, right, cut_left=left <= 0, cut_right=right >= WIDTH),
            f'<circle class="og-interval__value" cx="{middle:.1f}" cy="{AXIS}" r="4.5" stroke="none"/>',
            _text(sum(place(edge) for edge in edges) / len(edges), TEXT_UP, limits),
            _text(middle, TEXT_DOWN, numbers),
            "</svg>",
        ]
    )


def _scale(core: Sequence[float], low: float, high: float) -> Callable[[float], float]:
    """Map numbers to x: ``core`` always fits, the interval as far as it does not squeeze the core."""
    numbers = [number for number in (*core, low, high) if math.isfinite(number)]
    logarithmic = min(numbers) > 0 and low > 0 and max(numbers) / min(numbers) > 5
    turn = math.log if logarithmic else float
    inner = [turn(number) for number in core if math.isfinite(number)]
    start, end = min(inner), max(inner)
    # Seven times the distance that matters still leaves it a tenth of the drawing.
    room = 7 * max(end - start, 0.0) or math.inf
    if logarithmic:
        room = max(room, math.log(10))
    first = max(turn(low), start - room) if math.isfinite(low) else start - min(room, abs(start) or 1)
    last = min(turn(high), end + room) if math.isfinite(high) else end + min(room, abs(end) or 1)
    start, end = min(start, first), max(end, last)
    span = end - start or abs(start) * 0.1 or 1.0
    if end == start:
        start, end = start - span / 2, end + span / 2
    per_unit = (WIDTH - 4 * MARGIN) / (end - start)

    def place(number: float) -> float:
        if not math.isfinite(number):
            return 0.0 if number < 0 else float(WIDTH)
        x = 2 * MARGIN + (turn(number) - start) * per_unit
        return min(max(x, 0.0), float(WIDTH))

    return place


def _holding(holds: str | None, edges: Sequence[float]) -> str:
    if holds is None:
        return ""
    start = 0.0 if holds == "below" else edges[0]
    end = float(WIDTH) if holds == "above" else edges[-1]
    return (
        f'<rect class="og-interval__holds" x="{start:.1f}" y="{AXIS - 9}" '
        f'width="{end - start:.1f}" height="18" stroke="none" opacity="0.13"/>'
    )


def _range(left: float, right: float, *, cut_left: bool, cut_right: bool) -> str:
    # An interval of zero width still has to be seen behind its value.
    start, end = min(left, (left + right) / 2 - 1), max(right, (left + right) / 2 + 1)
    caps = [
        f"M6 {AXIS - 5}L1 {AXIS}L6 {AXIS + 5}" if cut_left else f"M{start:.1f} {AXIS - 5}V{AXIS + 5}",
        f"M{WIDTH - 6} {AXIS - 5}L{WIDTH - 1} {AXIS}L{WIDTH - 6} {AXIS + 5}"
        if cut_right
        else f"M{end:.1f} {AXIS - 5}V{AXIS + 5}",
    ]
    return (
        f'<path class="og-interval__range" d="M{start:.1f} {AXIS}H{end:.1f}{"".join(caps)}" '
        'stroke-width="2.5" fill="none"/>'
    )


def _text(x: float, y: float, text: str) -> str:
    """Text centred at ``x``, kept inside the drawing (8.4 units a letter are generous at this size)."""
    half = min(4.2 * len(text), WIDTH / 2)
    x = min(max(x, half), WIDTH - half)
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle" stroke="none">{escape(text)}</text>'


def _chosen(number: float, unit: str) -> str:
    """A bound as somebody wrote it, without digits that nobody meant."""
    if unit == "share":
        return f"{100 * number:g} %"
    if unit == "points" and abs(number) == 1:
        return f"{number:g} point"
    if unit == "count":
        return f"{number:g}"
    return f"{number:g}{'' if unit == 'ratio' else ' '}{unit_name(unit)}"
