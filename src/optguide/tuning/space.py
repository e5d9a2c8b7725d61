"""Which deployments are worth trying, and which of them next where there are too many to try all.

OpenVINO's hint for the goal is where the search begins: it is right or nearly right for most models. What it
does not decide is the batch, and what it decides without knowing the model are streams, threads and requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optguide.measuring.sweet_spot import Setting
from optguide.tuning.candidate import Deployment, Goal

__all__ = ["BATCHES", "ENUMERATED", "Space", "propose", "space_of"]

ENUMERATED = 32
"""Up to this many deployments are all tried; of more, an optimizer proposes some."""

BATCHES = (4, 16, 64)
"""Inputs per inference to try: what a batch saves per input is nearly all saved at the first of them."""

AXES = ("streams", "threads", "requests", "batch")

ASKS = 8
"""How often the optimizer may propose what is known or impossible before the next in order is taken."""


@dataclass(frozen=True)
class Space:
    """Deployments to try, the most promising first.

    :param deployments: OpenVINO's default, the hint for the goal, and settings in place of the hint's.
    :param own: streams and threads that the device chooses under the hint.
    """

    deployments: tuple[Deployment, ...]
    own: Setting

    def place(self, deployment: Deployment) -> tuple[int, int, int, int]:
        """Streams, threads, requests per stream and batch, with the device's choice where none is set."""
        streams = deployment.streams or self.own.streams
        threads = deployment.threads or self.own.threads
        requests = 0 if deployment.requests is None else math.ceil(deployment.requests / streams) or 1
        return streams, threads, requests, deployment.batch or 1


def space_of(goal: Goal, *, streams: int, threads: int, processors: int, batchable: bool = False) -> Space:
    """What to try for a goal on this machine.

    Settings that the device would reduce (more streams than threads, more threads than processors) and those
    that it chooses by itself are left out.

    :param streams: that the device chooses under the hint for the goal.
    :param threads: that it chooses, for all streams together.
    :param processors: that OpenVINO may use.
    :param batchable: whether the batch of the model can be changed.
    """
    own = Setting(streams, threads)
    found = (
        _for_latency(own, processors) if goal == "latency" else _for_throughput(own, processors, batchable)
    )
    return Space(tuple(dict.fromkeys(found)), own)


def _for_latency(own: Setting, processors: int) -> list[Deployment]:
    """One inference at a time: all that can differ is how many threads share it."""
    threads = _steps(processors)
    near = sorted(threads, key=lambda number: abs(math.log2(number / own.threads)))
    others = [Deployment(streams=1, threads=number) for number in near if Setting(1, number) != own]
    return [Deployment(), Deployment(hint="LATENCY"), *others]


def _for_throughput(own: Setting, processors: int, batchable: bool) -> list[Deployment]:
    threads = {own.threads, processors, max(1, processors // 2), max(1, processors // 4)}
    settings = {own} | {
        Setting(streams, number) for number in threads for streams in _steps(number) if streams <= number
    }
    batches = (None, *BATCHES) if batchable else (None,)
    ways = [(setting, twice, batch) for setting in settings for twice in (False, True) for batch in batches]

    def surprise(way: tuple[Setting, bool, int | None]) -> tuple[float, ...]:
        """How many choices differ from the hint's, then how far."""
        setting, twice, batch = way
        away = abs(math.log2(setting.streams / own.streams)) + abs(math.log2(setting.threads / own.threads))
        return (setting != own) + twice + (batch is not None), away, batch or 0, setting.streams

    hint = Deployment(hint="THROUGHPUT", requests=0)
    return [Deployment(), hint, *(_asynchronous(own, *way) for way in sorted(ways, key=surprise))]


def _asynchronous(own: Setting, setting: Setting, twice: bool, batch: int | None) -> Deployment:
    """The hint where it would choose this setting itself, and otherwise the setting."""
    requests = 2 * setting.streams if twice else 0
    if setting == own:
        return Deployment(hint="THROUGHPUT", requests=requests, batch=batch)
    return Deployment(streams=setting.streams, threads=setting.threads, requests=requests, batch=batch)


def _steps(largest: int) -> list[int]:
    """Powers of two up to a number, and the number itself."""
    return sorted({largest, *(2**step for step in range(largest.bit_length()) if 2**step <= largest)})


def propose(
    space: Space, known: Mapping[Deployment, float], count: int, *, seed: int = 0
) -> tuple[Deployment, ...]:
    """The next deployments to measure in a large space.

    A tree-structured Parzen estimator (J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization",
    2011; Optuna's) learns from what is known. It is built anew from that, so that a resumed run proposes as
    an uninterrupted one does.

    :param known: what was measured: how much better than one common reference, on logarithms. NaN failed.
    :param count: at most so many; fewer where nothing else is left.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    left = {
        space.place(way): way for way in space.deployments if way not in known and way.requests is not None
    }
    axes = [sorted({place[axis] for place in map(space.place, space.deployments)}) for axis in range(4)]
    varied = [axis for axis in range(4) if len(axes[axis]) > 1]
    ranges: dict[str, optuna.distributions.BaseDistribution] = {
        AXES[axis]: optuna.distributions.IntDistribution(0, len(axes[axis]) - 1) for axis in varied
    }
    sampler = optuna.samplers.TPESampler(
        seed=seed, multivariate=True, constant_liar=True, n_startup_trials=1, warn_independent_sampling=False
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for way, value in known.items():
        place = space.place(way)
        steps = {AXES[axis]: axes[axis].index(place[axis]) for axis in varied}
        states = optuna.trial.TrialState
        trial = (
            optuna.trial.create_trial(params=steps, distributions=ranges, state=states.FAIL)
            if math.isnan(value)
            else optuna.trial.create_trial(params=steps, distributions=ranges, value=value)
        )
        study.add_trial(trial)
    found: list[Deployment] = []
    for _ in range(ASKS * count):
        if len(found) == count or not left:
            break
        asked = study.ask(ranges)
        steps = {axis: asked.params[AXES[axis]] for axis in varied}
        place = tuple(axes[axis][steps.get(axis, 0)] for axis in range(4))
        if place in left:
            found.append(left.pop(place))
        else:
            study.tell(asked, state=states.FAIL)
    return (*found, *list(left.values())[: count - len(found)])
