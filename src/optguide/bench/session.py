"""Interleaved measurement: variants take turns in short blocks, in a new order every round.

Each variant has a process of its own, so none inherits another's thread pools, allocator state or
environment. Two processes of the same variant differ too, and where loading is quick a session replaces its
processes and measures several of each variant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from optguide.bench.disturbance import RoundConditions, spoiling
from optguide.bench.process import GRACE_SECONDS
from optguide.bench.result import TWIN, Block, Series, SessionResult
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation, WorkerHandle
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import NotEnoughSamples, OptionError
from optguide.format import duration
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS

__all__ = ["Budget", "Plan", "Spent", "measure"]

DISCARD = 0.1
"""Share of a block that is called before its timed window."""

ROUNDS_PER_GENERATION = 3
"""Rounds after which workers are replaced, where they are and measuring has taken as long as loading."""

OVERTIME = 4.0
"""How many times its seconds the first six rounds or generations of a budget may take."""

MEASURING_SHARE = 0.3
"""Share of a budget that goes into measuring at least, even where loading alone exceeds the rest. At this
share three sets of workers are loaded, at about half six."""

EXTENSION = 2.0
"""How many times its budget a session with open questions may take, where others have saved the time."""


class Questions(Protocol):
    """What a session is to find out, and the time that sessions with such questions share."""

    def decided(self, session: SessionResult) -> bool | None:
        """Whether the session has answered all that it was asked; ``None`` where that is nothing."""

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


def measure(
    variants: Iterable[Variant],
    budget: Budget | None = None,
    *,
    control: bool = False,
    decided: Callable[[SessionResult], bool | None] | None = None,
    seed: int = 0,
    label: str = "measuring",
    host: Host = THIS_MACHINE,
) -> SessionResult:
    """Measure variants against each other in one session.

    A variant that fails is reported in ``failures`` and the others are measured all the same.

    :param control: add a second worker of the first variant, the A/A control.
    :param decided: asked after every set of workers from the sixth on; where it says that the question is
        decided, the session ends. The intervals of the result it is given are of 99.9 %, so that looking
        often does not add up.
    :param seed: seed for the order of turns.
    :param label: activity shown as progress and to other processes that wait for the machine.
    :param host: where the workers run.
    :raises Busy: another measurement is running.
    :raises OptGuideError: every variant failed; the first one's error.
    """
    measured = list(variants)
    require_unique_names(measured, "A session")
    names = [variant.name for variant in measured]
    twin = names[0] + TWIN if control else None
    if twin in names:
        raise OptionError(f"{twin!r} is the name of the A/A control.", "Give the variant another name.")
    everyone = [*measured, measured[0].with_(twin)] if twin else measured
    rotation = Rotation({variant.name: (variant,) for variant in everyone}, seed=seed, host=host)
    budget = budget or Budget()
    session = _ClosedLoop(everyone, budget, rotation, twin)
    session.run(label, budget.questions.decided if budget.questions and not decided else decided)
    return session.result()


class _ClosedLoop:
    """State of one session: what was measured and what it cost."""

    def __init__(
        self, variants: Sequence[Variant], budget: Budget, rotation: Rotation, twin: str | None
    ) -> None:
        self.variants = {variant.name: variant for variant in variants}
        self.budget = budget
        self.rotation = rotation
        self.twin = twin
        self.plan = Plan(budget, 0.0, len(variants))
        self.spent = Spent()
        self.ended = "budget spent"
        self.loaded: dict[str, Series] = {}
        self.blocks: dict[str, list[Block]] = {name: [] for name in self.variants}
        self.conditions: list[RoundConditions] = []

    def run(self, label: str, decided: Callable[[SessionResult], bool | None] | None) -> None:
        """Measure with one set of workers after the other, or with one where loading takes too long."""
        with self.rotation.held(label, self.budget.seconds):
            self._generation()
            while self.rotation.alive and (
                self.plan.wants_generation(self.spent, answered=self._answered(decided)) or self._extended()
            ):
                self.ended = "budget spent"
                self._generation()
        left = self.budget.seconds - self.spent.seconds
        if self.budget.questions and self.ended != "budget spent" and left > 0:
            self.budget.questions.save(left)

    def _extended(self) -> bool:
        """Draw the time of another set of workers from what others have saved, if a question is open."""
        questions, spent = self.budget.questions, self.spent
        if questions is None or self.plan.generations == 1 or self.ended != "budget spent":
            return False
        seconds = spent.seconds / spent.generations
        if spent.seconds + seconds > EXTENSION * self.budget.seconds:
            return False
        return questions.decided(self.result(interim=True)) is False and questions.draw(seconds)

    def result(self, *, interim: bool = False) -> SessionResult:
        """What is known of every variant that did not fail."""
        rotation, spent = self.rotation, self.spent
        spoiled = spoiling(self.conditions)
        series = {
            name: replace(
                self.loaded[name],
                blocks=tuple(block for block in self.blocks[name] if block.round not in spoiled.rounds),
                peak_rss=rotation.peaks.get(name, 0),
            )
            for name in rotation.alive
        }
        return SessionResult(
            series,
            rotation.failures,
            self.ended,
            spent.measuring,
            spent.rounds - len(spoiled.rounds),
            rotation.others_share,
            self.twin,
            spoiled=len(spoiled.rounds),
            competitor=spoiled.competitor,
            shortage=self.plan.shortage(spent),
            interim=interim,
        )

    @property
    def _done(self) -> float:
        return self.spent.seconds / self.budget.seconds

    def _generation(self) -> None:
        rotation, doing = self.rotation, "{}" + self._so_far()
        with rotation.generation(self._load, done=self._done):
            if self.spent.generations == 0:
                self.plan = replace(self.plan, load_seconds=rotation.load_seconds)
                if self.budget.overhead:
                    rotation.visit(self._time_overhead, done=0.0)
            self.spent.start_generation(rotation.load_seconds)
            while rotation.alive:
                self._round(doing)
                if not self.plan.wants_round(self.spent):
                    return

    def _load(self, name: str, worker: WorkerHandle) -> None:
        reply = worker.load()
        first_call = self.loaded[name].first_call if name in self.loaded else worker.first_call()
        worker.warm_up()
        if name not in self.loaded:
            alone = len(self.variants) == 1
            self.loaded[name] = Series.from_reply(self.variants[name], reply, first_call, alone=alone)

    def _time_overhead(self, name: str) -> None:
        reply = self.rotation.workers[name].ask(GRACE_SECONDS, do="overhead")
        self.loaded[name] = replace(self.loaded[name], overhead=reply)

    def _round(self, doing: str) -> None:
        before, rotation = self.spent.measuring, self.rotation
        with rotation.metered(overall=False) as meter:
            rotation.visit(self._turn, done=self._done, doing=doing)
        seconds = self.spent.measuring - before
        self.conditions.append(RoundConditions(self.spent.generations, seconds, meter.share, meter.throttled))
        self.spent.add_round()

    def _turn(self, name: str) -> None:
        clock, length = self.rotation.host.clock, self.plan.block
        start = clock()
        reply = self.rotation.workers[name].ask(
            length + GRACE_SECONDS, do="block", seconds=length, discard=DISCARD * length
        )
        # A turn that failed is not counted: one that hung would have used up the budget of the others.
        self.spent.add_turn(max(0.0, clock() - start))
        self.blocks[name].append(Block.from_reply(self.spent.rounds, self.spent.generations - 1, reply))

    def _answered(self, decided: Callable[[SessionResult], bool | None] | None) -> bool:
        """Whether every interval is as narrow as the budget asks for, or the caller's question is decided."""
        if self.spent.generations < MINIMUM_ROUNDS:
            return False
        if self._widest() <= self.budget.precision:
            self.ended = "precision reached"
        elif decided and decided(self.result(interim=True)):
            self.ended = "decided"
        return self.ended != "budget spent"

    def _widest(self) -> float:
        """The largest relative half-width that readers will look at; infinite before there is one."""
        if not self.rotation.alive or not self.spent.rounds:
            return math.inf
        first, *others = self.rotation.alive
        result = self.result()
        try:
            if not others:
                return result.throughput(first).relative_half_width
            ratios = [result.compare(first, other, "throughput").ratio for other in others]
        except (NotEnoughSamples, OptionError):
            return math.inf
        return max(ratio.relative_half_width for ratio in ratios)

    def _so_far(self) -> str:
        widest = self._widest()
        return f", interval so far ±{widest:.1%}" if math.isfinite(widest) else ""
