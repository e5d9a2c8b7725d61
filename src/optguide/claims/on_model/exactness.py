"""The probe of exactness: how far the default precision moves the output from that of 32-bit floats."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from optguide.bench import child
from optguide.bench.process import LOAD_SECONDS
from optguide.claims.on_model.model import Subject
from optguide.claims.on_model.probe import Found, gather, reason
from optguide.claims.on_model.sessions import on_the_cpu
from optguide.errors import OptGuideError
from optguide.stats.estimate import MINIMUM_ROUNDS, median_of_rounds

__all__ = ["EXACTNESS", "Exactness"]

DRAWN = 12
"""Sets of random inputs, where the reader gives none; six bound a median."""

ERROR = "model.default.error"


@dataclass(frozen=True)
class Exactness:
    """One minus the cosine of the first output to that in 32-bit floats, input by input."""

    @property
    def results(self) -> Collection[str]:
        """The median error."""
        return (ERROR,)

    def obstacle(self, _result: str, subject: Subject) -> str:
        """Why it says nothing: another device, or too few inputs."""
        given = len(subject.plain.inputs)
        if 0 < given < MINIMUM_ROUNDS:
            return f"It takes {MINIMUM_ROUNDS} sets of inputs to judge it, and this is {given}."
        return on_the_cpu(subject)

    def least(self, _wanted: Collection[str], subject: Subject) -> float:
        """Loading both precisions, and all inferences."""
        count = len(subject.plain.inputs) or DRAWN
        return 2 * (subject.loading + count * subject.inference)

    def run(self, _wanted: Collection[str], subject: Subject, _seconds: float, _label: str) -> Found:
        """Compute the outputs in both precisions. Nothing is timed."""
        try:
            errors = child.call(
                "optguide.claims.on_model.exactness:errors",
                {"spec": subject.plain.to_dict(), "draws": DRAWN},
                seconds=2 * LOAD_SECONDS,
                what=f"comparing precisions of {subject.plain.name}",
            )
        except OptGuideError as error:
            return {ERROR: reason(error)}
        inputs = "these" if subject.plain.inputs else "random"
        label = f"default precision, error of the first output on {inputs} inputs"
        return gather({ERROR: (label, lambda: median_of_rounds(errors, "share", independent=True))})


EXACTNESS = Exactness()


def errors(spec: Mapping[str, Any], draws: int) -> list[float]:
    """The child's side: the error of every input set, or of ``draws`` random ones."""
    exact, found = (_outputs({**spec, "precision": precision}, draws) for precision in ("f32", None))
    return [_apart(a, b) for a, b in zip(exact, found, strict=True)]


def _outputs(spec: dict[str, Any], draws: int) -> list[Any]:
    from optguide.runtimes import runner_for
    from optguide.runtimes.inputs import random_inputs

    runner: Any = runner_for(spec)
    runner.load()
    sets = runner.sets if spec["inputs"] else [random_inputs(runner.specs, seed) for seed in range(draws)]
    return [runner.compiled(list(arrays.values()))[0] for arrays in sets]


def _apart(a: Any, b: Any) -> float:
    """One minus the cosine of two outputs; one where one of them is zero, or no number."""
    import numpy as np

    x, y = (np.asarray(array, dtype=np.float64).ravel() for array in (a, b))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return 1.0
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    return max(0.0, 1.0 - float(x @ y) / norms) if norms else float(bool((x != y).any()))
