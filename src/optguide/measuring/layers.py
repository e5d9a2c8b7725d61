"""Where the time goes inside a model: times of the layers as they were compiled, of several variants.

The device counts the time of every layer that ran as such; what was fused into another layer is in that one's
time. Variants take turns in shuffled order, one turn of counted inferences each per round. Where compiling is
quick, a model is compiled anew for every turn: counters are exact to a microsecond then, and where memory and
code of one compiled model happen to lie is part of the scatter.

Inferences are made one after another, also by variants that have requests in flight elsewhere: a layer that
shares the processor with those of other requests has no time of its own. With several streams, a layer has
the threads of one of them.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from optguide.errors import OptGuideError, OptionError
from optguide.machine import OthersMeter, measuring_lock
from optguide.measuring.estimate import MINIMUM_ROUNDS
from optguide.measuring.layer_times import LayerTime, LayerTimes, Round
from optguide.measuring.process import GRACE_SECONDS, WorkerProcess
from optguide.measuring.progress import Update, reporting
from optguide.measuring.variant import Variant, refuse_same_names

__all__ = ["LayerTime", "LayerTimes", "layers"]

ROUNDS = 9
"""The fewest for which an interval of 95 % leaves out the largest and the smallest of them."""

DISCARD = 0.1
"""Share of a turn that is inferred before it counts."""

COMPILING = 2.0
"""How many times the given seconds may go into compiling models anew."""

PATIENCE, OVERTIME = 1.5, 4.0
"""How many times the given seconds six rounds and more may take, and how many fewer rounds may."""


def layers(
    variants: Sequence[Variant], *, seconds: float = 8.0, seed: int = 0, label: str = "times of layers"
) -> LayerTimes:
    """Count the layers of each variant.

    A variant that fails is reported in ``failures`` and the others are counted all the same.

    :param variants: of the runtime OpenVINO, with different names.
    :param seconds: for counted inferences, shared by all variants; compiling comes on top, up to about twice
        as much. Where inferences are so long that six rounds do not fit, up to four times as much.
    :param seed: of the order of turns.
    :raises Busy: another measurement is running.
    :raises OptionError: nothing to count, or two variants of one name.
    :raises OptGuideError: every variant failed; the first one's error.
    """
    refuse_same_names(variants, "A profile of layers")
    if not seconds > 0:
        raise OptionError(f"{seconds:g} s count nothing.", "Use a time above zero.")
    session = _Session(variants, seconds, seed)
    with measuring_lock(label), reporting(label, seconds) as update:
        session.run(update)
    if len(session.failures) == len(variants):
        raise session.failures[variants[0].name]
    return session.result()


class _Session:
    """State of one run."""

    def __init__(self, variants: Sequence[Variant], seconds: float, seed: int) -> None:
        self.variants = {variant.name: _counting(variant) for variant in variants}
        self.seconds = seconds
        self.random = np.random.default_rng(seed)
        self.workers: dict[str, WorkerProcess] = {}
        self.loaded: dict[str, Mapping[str, Any]] = {}
        self.described: dict[str, dict[str, Any]] = {name: {} for name in self.variants}
        self.rounds: dict[str, list[Round]] = {name: [] for name in self.variants}
        self.failures: dict[str, OptGuideError] = {}
        self.spent = 0.0
        self.anew = False
        self.others_share = math.nan

    def run(self, update: Update) -> None:
        """Load everything, take turns, and look at the outputs once everything has been counted."""
        with ExitStack() as stack:
            for name in self.variants:
                update(0.0, f"loading {name}")
                with self._blaming(name):
                    self.workers[name] = stack.enter_context(WorkerProcess(self.variants[name]))
                    self.loaded[name] = self.workers[name].load()
            compiling = sum(_again(self.loaded[name]["stages"]) for name in self._alive())
            self.anew = (ROUNDS - 1) * compiling <= COMPILING * self.seconds
            with OthersMeter([os.getpid(), *(self.workers[name].pid for name in self._alive())]) as others:
                self._take_turns(update)
            self.others_share = others.share
            for name in self._alive():
                with self._blaming(name):
                    self.workers[name].outputs()

    def result(self) -> LayerTimes:
        """What is known of every variant that did not fail."""
        alive = self._alive()
        return LayerTimes(
            {name: tuple(self.rounds[name]) for name in alive},
            {name: self.described[name] for name in alive},
            self.failures,
            {name: self.loaded[name]["effective"] for name in alive},
            {key: value for name in alive for key, value in self.loaded[name]["versions"].items()},
            self.anew,
            self.others_share,
        )

    def _alive(self) -> list[str]:
        return [name for name in self.variants if name not in self.failures]

    def _take_turns(self, update: Update) -> None:
        for done in range(ROUNDS):
            for name in map(str, self.random.permutation(self._alive())):
                update(done / ROUNDS, name)
                with self._blaming(name):
                    self._turn(name, first=done == 0)
            enough = done + 1 >= MINIMUM_ROUNDS
            if self.spent >= (PATIENCE if enough else OVERTIME) * self.seconds:
                return

    def _turn(self, name: str, *, first: bool) -> None:
        if self.anew and not first:
            self.workers[name].load()
        part = self.seconds / (ROUNDS * len(self.variants))
        start = time.perf_counter()
        reply = self.workers[name].ask(
            part + GRACE_SECONDS, do="layers", seconds=(1 - DISCARD) * part, discard=DISCARD * part
        )
        self.spent += time.perf_counter() - start
        self.described[name] |= reply["layers"]
        self.rounds[name].append(Round(reply["times"], reply["latency_us"], reply["calls"]))

    @contextmanager
    def _blaming(self, name: str) -> Iterator[None]:
        """Give up the variant if this fails; the others go on."""
        try:
            yield
        except OptGuideError as error:
            self.failures[name] = error
            if name in self.workers:
                self.workers[name].end()


def _again(stages: Mapping[str, float]) -> float:
    """Seconds of loading a model again in a process that has imported everything."""
    return sum(seconds for stage, seconds in stages.items() if stage != "import")


def _counting(variant: Variant) -> Variant:
    if variant.runtime != "openvino":
        return variant  # the worker says what it has to do with layers
    return replace(variant, properties={**variant.properties, "PERF_COUNT": "YES"}, requests=None)
