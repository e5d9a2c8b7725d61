"""What ``optguide first-inference`` prints: tables, or one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from optguide.errors import NotEnoughSamples

if TYPE_CHECKING:
    from rich.text import Text

    from optguide.measuring.coldstart import ColdStart
    from optguide.measuring.comparison import Comparison
    from optguide.measuring.estimate import Estimate
    from optguide.measuring.variant import Variant

__all__ = ["Starts", "emit", "show"]


@dataclass(frozen=True)
class Starts:
    """What was measured, in the order in which it was asked for."""

    times: ColdStart
    variants: Sequence[Variant]
    repeats: int
    warnings: Sequence[str]

    @property
    def names(self) -> list[str]:
        """Of the variants that did not fail."""
        return [variant.name for variant in self.variants if variant.name in self.times.runs]


def show(found: Starts) -> None:
    """Print stages, memory and ratios to the first variant."""
    from optguide import format as fmt
    from optguide.cli import render
    from optguide.machine import Machine

    times, names = found.times, found.names
    stages = ("import", "read", "compile", "first", "total")
    render.table(
        f"From a fresh process to the first result: median of {found.repeats} starts (95 % interval)",
        ("Variant", "Import", "Read", "Compile", "First inference", "Together"),
        [[name, *(_cell(partial(times.estimate, name, stage)) for stage in stages)] for name in names],
    )
    render.table(
        "Afterwards",
        ("Variant", "Second inference", "Steady inference", "First over steady"),
        [
            [
                name,
                *(_cell(partial(times.estimate, name, stage)) for stage in ("second", "steady")),
                _cell(partial(times.warm_up, name)),
            ]
            for name in names
        ],
    )
    moments = [(kind, after) for after in ("load", "first") for kind in ("peak", "private")]
    render.table(
        "Memory of the process; private is what belongs to no file",
        ("Variant", "Loaded: peak", "Loaded: private", "First result: peak", "First result: private"),
        [[name, *(_cell(partial(times.memory, name, *moment)) for moment in moments)] for name in names],
    )
    if names[1:]:
        render.table(
            f"Against {names[0]}: above 1 is better (95 % interval)",
            ("Variant", "Together", "Read and compile", "First inference", "Peak memory"),
            [_against(times, names[0], name) for name in names[1:]],
        )
    render.paragraph(
        f"{fmt.quantity(found.repeats * len(names), 'count')} processes in turns. The files were in the"
        " system's cache: a start right after boot is slower."
    )
    render.paragraph(f"{Machine.current().summary()}.")


def _cell(found: Callable[[], Estimate]) -> str:
    from optguide import format as fmt

    try:
        return fmt.estimate(found()).replace(" (", "\n(")
    except NotEnoughSamples:
        return "unknown"


def _against(times: ColdStart, first: str, name: str) -> list[str | Text]:
    from optguide import format as fmt
    from optguide.cli import render

    cells: list[str | Text] = [name]
    for stage in ("total", "load", "first"):
        found = times.compare(first, name, stage)
        cells.append(render.verdict(found.verdict, f"{fmt.estimate(found.ratio)}\n{found.verdict}"))
    return [*cells, _cell(lambda: times.compare_memory(first, name).ratio)]


def emit(found: Starts) -> None:
    """Print the same as JSON, with every run."""
    from optguide.cli import as_json
    from optguide.machine import Machine

    times, names = found.times, found.names
    as_json.emit(
        "first-inference",
        {
            "machine": Machine.current().to_dict(),
            "repeats": found.repeats,
            "others_share": times.others_share,
            "variants": [_variant(times, variant) for variant in found.variants if variant.name in names],
            "comparisons": [_comparison(times, names[0], name) for name in names[1:]],
            "failures": [as_json.failure(name, error) for name, error in times.failures.items()],
            "warnings": list(found.warnings),
        },
    )


def _variant(times: ColdStart, variant: Variant) -> dict[str, Any]:
    from optguide.cli import as_json
    from optguide.measuring.coldstart import FOOTPRINTS, MOMENTS, STAGES, SUMS

    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "stages": {stage: asdict(times.estimate(name, stage)) for stage in (*STAGES, *SUMS)},
        "first_over_steady": asdict(times.warm_up(name)),
        "memory": {
            moment: {kind: as_json.estimate(partial(times.memory, name, kind, moment)) for kind in FOOTPRINTS}
            for moment in MOMENTS
        },
        "runs": times.runs[name],
    }


def _comparison(times: ColdStart, first: str, name: str) -> dict[str, Any]:
    from optguide.cli import as_json

    def ratio(compare: Callable[[], Comparison]) -> dict[str, Any] | None:
        try:
            return as_json.comparison(compare())
        except NotEnoughSamples:
            return None

    return {
        "first": first,
        "variant": name,
        **{
            stage: as_json.comparison(times.compare(first, name, stage))
            for stage in ("total", "load", "first")
        },
        "memory": ratio(partial(times.compare_memory, first, name)),
    }
