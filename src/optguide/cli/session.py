"""Running one session for a command: the lock, the budget, and what to warn about."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from optguide.bench.variant import Variant
from optguide.format import duration, quantity

if TYPE_CHECKING:
    from optguide.bench.result import SessionResult
    from optguide.stats.comparison import Comparison

__all__ = ["Measured", "busy", "machine_held", "run"]


@dataclass(frozen=True)
class Measured:
    """A session and what surrounds it.

    :param result: the session.
    :param first: name of the first variant that was measured, to which the others are compared.
    :param seconds: wall time of everything, loading included.
    :param budget: seconds that were allowed, loading included.
    :param precision: relative half-width at which it would have stopped.
    """

    result: SessionResult
    first: str
    seconds: float
    budget: float
    precision: float

    @property
    def others(self) -> list[str]:
        """The variants that are compared with the first."""
        return [name for name in self.result.series if name not in (self.first, self.result.twin)]

    @property
    def control(self) -> Comparison | None:
        """The first variant against its second copy, where both were measured."""
        from optguide.bench.session import TWIN

        return self.result.control if self.result.twin == self.first + TWIN else None

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason not to take the numbers at face value."""
        from optguide.bench.session import TWIN

        found = []
        control = self.control
        if control is not None and control.verdict in ("faster", "slower"):
            found.append(
                f"{self.first} differs from a second copy of itself, so the ratios of this session are not to"
                " be trusted; let the machine calm down (see `optguide machine`) and measure again."
            )
        failed = self.result.failures.get(self.first + TWIN)
        if failed is not None:
            found.append(f"There is no A/A control: {failed.message}")
        return [*found, *busy(self.result.others_share)]


def busy(share: float) -> list[str]:
    """A warning where other processes used so much of the machine that the numbers are theirs too.

    :param share: of the machine's CPU (0 to 1).
    """
    from optguide.machine.noise import LIMITS

    (limit,) = (limit for limit in LIMITS if limit.witness == "others_share")
    if not share > limit.noisy:
        return []
    return [
        f"{limit.sentence.format(quantity(share, limit.unit))} Latencies and throughputs are those of a busy"
        " machine."
    ]


@contextmanager
def machine_held(what: str, wait: float) -> Iterator[None]:
    """Hold the measuring lock, and say so where that means waiting.

    :raises Busy: another measurement still runs after ``wait`` seconds.
    """
    from optguide.machine.lock import holder, measuring_lock

    if wait and (found := holder()):
        click.echo(
            f"Waiting up to {duration(wait)} for process {found.pid} to end its measurement ({found.what}).",
            err=True,
        )
    with measuring_lock(what, wait):
        yield


def run(
    label: str,
    variants: Sequence[Variant],
    *,
    budget: float,
    precision: float,
    wait: float,
    control: bool = False,
) -> Measured:
    """Measure ``variants`` in one session.

    :param label: what is measured, for the progress and for others who find the machine held.
    :raises OptionError: no budget.
    :raises Busy: another measurement is running.
    :raises OptGuideError: every variant failed.
    """
    from optguide.bench.session import Budget, measure

    allowed = Budget(seconds=budget, precision=precision)
    with machine_held(f"optguide {label}", wait):
        start = time.perf_counter()
        result = measure(variants, allowed, control=control, label=label)
        seconds = time.perf_counter() - start
    return Measured(result, next(iter(result.series)), seconds, budget, precision)
