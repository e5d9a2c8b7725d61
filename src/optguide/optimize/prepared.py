"""The reader's model and data, ready to be run in every deployment that is worth trying."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil

from optguide.bench.process import WorkerProcess
from optguide.bench.streams import Setting
from optguide.bench.variant import Variant
from optguide.machine import Machine
from optguide.optimize.candidate import BATCHES, DEFAULT, Settings, Space, hint_for, space_of
from optguide.optimize.data import Data, read_data, write_inputs
from optguide.optimize.evaluation.metrics import Metric, resolve
from optguide.optimize.model import SourceModel

WORKER_BYTES = 400e6
"""Memory of a worker beside its model: the interpreter, OpenVINO and its code cache."""

CHECKING = 0.05
"""Share of the budget in which samples are decoded beforehand: one that is cut off shows at once."""


class Prepared:
    """A model with its data.

    :param space: deployments to try, where they are known already.
    :ivar metric: what judges answers; ``None`` for random data, which judge nothing.
    :ivar space: what there is to try, from what the device makes of the hint.
    """

    def __init__(
        self, settings: Settings, subject: SourceModel, work: Path, space: Space | None = None
    ) -> None:
        self.settings, self.subject = settings, subject
        self._folder = work / "inputs"
        self._inputs: dict[int | None, tuple[str, ...]] = {}
        self.data: Data = read_data(settings, subject, CHECKING * settings.budget)
        judged = not self.data.random or settings.metric is not None
        self.metric: Metric | None = resolve(settings, self.data, subject) if judged else None
        self.space = space or self._look()

    def inputs(self, batch: int | None) -> tuple[str, ...]:
        """Files with inputs of a batch, written when they are first needed."""
        if batch not in self._inputs:
            self._inputs[batch] = write_inputs(self.data, self.subject, self._folder, batch)
        return self._inputs[batch]

    def references(self) -> list[Variant]:
        """The model in its own framework, where it came from one."""
        reference = self.subject.reference
        return [replace(reference, inputs=self.inputs(None))] if reference is not None else []

    def fitting(self, size: int) -> int:
        """How many workers fit into memory together, each with a model of ``size`` bytes; at least two."""
        return max(2, int(0.7 * psutil.virtual_memory().available / (WORKER_BYTES + 3 * size)))

    def _look(self) -> Space:
        goal, device = self.settings.goal, self.settings.device
        hint = hint_for(goal)
        with WorkerProcess(hint.variant(str(self.subject.file), self.inputs(None), device)) as worker:
            chosen = worker.load()["effective"]
        streams = _number(chosen.get("NUM_STREAMS"))
        threads = _number(chosen.get("INFERENCE_NUM_THREADS"))
        batchable = self.subject.batchable and self.data.uniform
        if device == "CPU" and streams and threads:
            processors = max(threads, Machine.current().usable_cores)
            return space_of(
                goal, streams=streams, threads=threads, processors=processors, batchable=batchable
            )
        # Other devices have neither threads to set nor a number of streams worth guessing.
        hints = [hint.deployment]
        if goal == "throughput" and batchable:
            hints += [replace(hint.deployment, batch=batch) for batch in BATCHES]
        return Space((DEFAULT.deployment, *hints), Setting(streams or 1, threads or 1))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
