"""Which deployments to try next where there are too many to try all: Optuna's work."""

from __future__ import annotations

import math
from collections.abc import Mapping

from optguide.optimize.candidate import Deployment
from optguide.optimize.search.space import Place, Space

__all__ = ["propose"]

ASKS = 8
"""How often the optimizer may propose what is known or impossible before the next in order is taken."""


def propose(
    space: Space, known: Mapping[Deployment, float], count: int, *, seed: int = 0
) -> tuple[Deployment, ...]:
    """The next deployments to measure.

    A tree-structured Parzen estimator (J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization",
    2011; Optuna's) learns from what is known. It is built anew from that every time, so that a resumed run
    proposes what an uninterrupted one does.

    :param known: what was measured: how much better than one common reference, on logarithms; NaN failed.
    :param count: at most so many; fewer where nothing else is left.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    left = {space.place(way): way for way in space.deployments if way not in known}
    axes = [sorted(set(values)) for values in zip(*map(space.place, space.deployments), strict=True)]
    steps = {
        name: optuna.distributions.IntDistribution(0, len(values) - 1)
        for name, values in zip(Place._fields, axes, strict=True)
    }
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(
            seed=seed, multivariate=True, constant_liar=True, n_startup_trials=1
        ),
    )
    for way, value in known.items():
        coordinates = zip(Place._fields, axes, space.place(way), strict=True)
        params = {name: values.index(number) for name, values, number in coordinates}
        ended = {"state": optuna.trial.TrialState.FAIL} if math.isnan(value) else {"value": value}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=dict(steps), **ended))
    found: list[Deployment] = []
    for _ in range(ASKS * count):
        if len(found) == count:
            return tuple(found)
        asked = study.ask(dict(steps))
        place = Place(*(values[asked.params[name]] for name, values in zip(Place._fields, axes, strict=True)))
        if place in left:
            found.append(left.pop(place))
        else:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
    return (*found, *list(left.values())[: count - len(found)])
