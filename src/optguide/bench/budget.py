"""How long a session may take, and the plan that divides this time: pure, and asked by sessions alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from optguide.errors import OptionError
from optguide.format import duration
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS

if TYPE_CHECKING:
    from optguide.bench.result import SessionResult


ROUNDS_PER_GENERATION = 3
"""Rounds after which workers are replaced, where they are and measuring has taken as long as loading."""

OVERTIME = 4.0
"""How many times its seconds the first six rounds or generations of a budget may take."""

MEASURING_SHARE = 0.3
"""Share of a budget that goes into measuring at least, even where loading alone exceeds the rest. At this
share three sets of workers are loaded, at about half six."""


class Questions(Protocol):
    """What a session is to find out, and the time that sessions with such questions share."""

    def decided(self, session: SessionResult) -> bool | None:
        """Whether the session has answered all that it was asked; ``None`` where that is nothing.

        Asked after every set of workers from the sixth on. The intervals of the result are of 99.9 %, so that
        looking often does not add up.
        """

    def save(self, seconds: float) -> None:
        """Leave seconds that the session has not needed to others."""

    def draw(self, seconds: float) -> bool:
        """Take so many of the seconds that others have left; false where there are fewer."""


@dataclass(frozen=True)
class Budget:
    """How long a session may take and when it stops earlier.

    :param seconds: length of the whole session, loading included, for all variants together.
    :param precision: stop once the interval of every variant's throughput ratio to the first, or of the rate
        of a single variant, has a half-width of at most this share.
    :param block: length of one turn in seconds.
    :param patience: seconds that the first six rounds or generations may take, if that is more than four
        times ``seconds``. Without them there is no interval at all, which some callers cannot do without.
    :param processes: sets of workers that are measured even where loading them takes longer than the budget
        allows. Only from three on do they tell how much two processes of one variant differ.
    :param questions: the session may end once they are decided, and goes on while they are not and there is
        time that others have saved.
    :param overhead: measure what calls do besides the inference too, before the first round.
    """

    seconds: float = 20.0
    precision: float = 0.02
    block: float = 0.2
    patience: float = 0.0
    processes: int = 1
    questions: Questions | None = None
    overhead: bool = False

    def __post_init__(self) -> None:
        for name, value in (("budget", self.seconds), ("block", self.block), ("precision", self.precision)):
            if not value > 0:
                raise OptionError(f"A {name} of {value:g} measures nothing.", f"Use a {name} above zero.")

    @property
    def longest(self) -> float:
        """Seconds that the turns of the first six rounds or generations may take."""
        return max(OVERTIME * self.seconds, self.patience)


@dataclass
class Spent:
    """What a session has used of its budget; failed starts and turns cost the others nothing.

    :param generations: sets of workers that have been started.
    :param rounds: completed rounds of all generations.
    :param loading: seconds of starting and loading all generations.
    :param measuring: seconds of the turns of all generations.
    :param generation_rounds: completed rounds of the present generation.
    :param generation_measuring: seconds of its turns.
    """

    generations: int = 0
    rounds: int = 0
    loading: float = 0.0
    measuring: float = 0.0
    generation_rounds: int = 0
    generation_measuring: float = 0.0

    @property
    def seconds(self) -> float:
        """Of the whole session so far."""
        return self.loading + self.measuring

    def start_generation(self, load_seconds: float) -> None:
        """Count a set of workers that has been loaded."""
        self.generations += 1
        self.loading += load_seconds
        self.generation_rounds, self.generation_measuring = 0, 0.0

    def add_turn(self, seconds: float) -> None:
        """Count one turn."""
        self.measuring += seconds
        self.generation_measuring += seconds

    def add_round(self) -> None:
        """Count a round that every variant has completed."""
        self.rounds += 1
        self.generation_rounds += 1


@dataclass(frozen=True)
class Plan:
    """The policy of a session: how it divides its budget, and when it stops.

    It is made once the first workers have been loaded. Two processes of one variant differ, by 1 % on some
    machines and by more than 10 % on others, and no number of rounds averages that out. So a session measures
    as many sets of workers as it can load in about half of its budget, where that makes three or more
    (T. Kalibera and R. Jones, "Rigorous Benchmarking in Reasonable Time", 2013).

    :param load_seconds: time to load every member once.
    :param members: how many take their turn in a round.
    """

    budget: Budget
    load_seconds: float
    members: int

    @property
    def generations(self) -> int:
        """Sets of workers that are planned, six at most; where they are quick to load more may follow."""
        load = max(self.load_seconds, 1e-9)
        if self.budget.processes < MINIMUM_PROCESSES and self.sufficient > self.budget.seconds:
            return 1
        affordable = (self.budget.seconds / load + 1) / 2
        return max(int(min(affordable, MINIMUM_ROUNDS)), MINIMUM_PROCESSES, self.budget.processes)

    @property
    def sufficient(self) -> float:
        """Seconds of the smallest budget in which three sets of workers are loaded."""
        return MINIMUM_PROCESSES * self.load_seconds / (1 - MEASURING_SHARE)

    @property
    def measuring(self) -> float:
        """Seconds for turns, shared by all variants."""
        left = self.budget.seconds - self.generations * self.load_seconds
        return max(left, MEASURING_SHARE * self.budget.seconds)

    @property
    def block(self) -> float:
        """Length of a turn. All rounds have to fit: slow variants get shorter ones, down to a single call."""
        rounds = MINIMUM_ROUNDS if self.generations == 1 else ROUNDS_PER_GENERATION * self.generations
        return min(self.budget.block, self.measuring / (rounds * self.members))

    def wants_generation(self, spent: Spent, *, answered: bool = False) -> bool:
        """Whether another set of workers is due after the first.

        :param answered: whether what the session is to find out is known; looked at after six sets only.
        """
        if self.generations == 1:
            return False
        if spent.generations < self.generations:
            return spent.measuring < self.budget.longest
        if answered and spent.generations >= MINIMUM_ROUNDS:
            return False
        half = spent.seconds / spent.generations / 2  # ends as close to the budget as whole ones can
        return spent.seconds + half <= self.budget.seconds

    def wants_round(self, spent: Spent) -> bool:
        """Whether the present set of workers takes another round."""
        if self.generations > 1:
            if spent.generation_measuring >= self.measuring / self.generations:
                return False
            return (
                spent.generation_rounds < ROUNDS_PER_GENERATION
                or spent.generation_measuring < self.load_seconds
            )
        if spent.rounds < MINIMUM_ROUNDS:
            return spent.measuring < self.budget.longest
        return spent.measuring < self.measuring

    def shortage(self, spent: Spent) -> str:
        """Why there were fewer than three sets of workers, and the remedy; empty where there were."""
        if spent.generations >= MINIMUM_PROCESSES or not spent.rounds:
            return ""
        turns = MINIMUM_PROCESSES * (self.load_seconds + spent.measuring / spent.rounds)
        return (
            f"{spent.generations} of the 3 sets of processes that intervals need could be measured: loading"
            f" takes {duration(self.load_seconds)} of a budget of {duration(self.budget.seconds)}. Intervals"
            " allow for what processes of one variant may differ by; three sets take a budget of"
            f" {duration(math.ceil(max(self.sufficient, turns)))}."
        )
