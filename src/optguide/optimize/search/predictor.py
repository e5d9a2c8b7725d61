"""What a deployment that has not been tried may reach, and what it costs to try it.

Changes of streams, of requests and of the batch roughly multiply. That is too little to choose by, and enough
to try what is promising first and to leave out what is hopeless.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from optguide.optimize.candidate import Candidate, Deployment, Precision
from optguide.optimize.search.race_state import RaceState
from optguide.optimize.search.space import BATCHES, Space
from optguide.stats.estimate import MINIMUM_ROUNDS

__all__ = ["Prediction", "Predictor"]


class Prediction(NamedTuple):
    """On logarithms: what is expected, and what the intervals of its parts allow at best."""

    expected: float
    upper_bound: float


@dataclass(frozen=True)
class Predictor:
    """Looks ahead from what is known.

    :param precisions: that may have been measured.
    """

    state: RaceState
    space: Space
    precisions: Sequence[Precision]

    def predict(self, precision: Precision, way: Deployment) -> Prediction:
        """What a deployment may reach of the leader if what it is made of multiplies.

        Infinite where it is a single change of the hint of which nothing is known; minus infinite where it is
        made of something unknown or something that failed, or a smaller batch has to come first.
        """
        parts = self._parts(way)
        effects = [effect for part in parts if (effect := self._effect(precision, part)) is not None]
        if len(effects) < len(parts):
            untold = math.inf if len(parts) == 1 and way.batch in (None, BATCHES[0]) else -math.inf
            return Prediction(untold, untold)
        base = self.state.ratios.get(Candidate(precision, self.state.rules.meeting).name)
        expected = sum(effect.expected for effect in effects) + (math.log(base.value) if base else 0.0)
        margins = (
            effect.upper_bound - effect.expected for effect in effects if effect.upper_bound > -math.inf
        )
        return Prediction(expected, expected + math.hypot(*margins))

    def six_turns(self, way: Deployment) -> float:
        """Seconds they take at least, at the leader's rate; zero while nothing is known.

        In a turn all that is in flight is started three times (see ``measuring.worker.blocks``).
        """
        speed = self.state.speeds.get(self.state.incumbent.name)
        if speed is None:
            return 0.0
        streams, _, requests, batch = self.space.place(way)
        in_flight = streams * requests if requests else 1
        return MINIMUM_ROUNDS * 3 * in_flight * batch / speed.throughput.value

    def _parts(self, way: Deployment) -> list[Deployment]:
        """The single changes of the hint that a deployment is made of."""
        hint = self.state.rules.hint.deployment
        if self.state.rules.goal == "latency" or way.requests is None:
            return [way]
        parts = []
        if way.streams is not None:
            parts.append(Deployment(streams=way.streams, threads=way.threads, requests=0))
        if way.requests:
            parts.append(replace(hint, requests=2 * self.space.own.streams))
        if way.batch is not None:
            parts.append(replace(hint, batch=way.batch))
        return parts

    def _effect(self, precision: Precision, part: Deployment) -> Prediction | None:
        """How much better a single change is than none; ``None`` where that is unknown.

        What is unknown in one precision is taken from another, and of a batch from the next smaller one.
        """
        ratios = self.state.ratios
        for other in dict.fromkeys((precision, *self.precisions)):
            one, none = Candidate(other, part), Candidate(other, self.state.rules.meeting)
            if one.name in ratios and none.name in ratios:
                found, base = ratios[one.name], ratios[none.name].value
                return Prediction(math.log(found.value / base), math.log(found.high / base))
            if self.state.seen(one):
                return Prediction(-math.inf, -math.inf)
        smaller = [batch for batch in BATCHES if batch < (part.batch or 0)]
        return self._effect(precision, replace(part, batch=smaller[-1])) if smaller else None
