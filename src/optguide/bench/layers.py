"""Where the time goes inside a model: times of the layers as they were compiled, of several variants.

The device counts the time of every layer that ran as such; what was fused into another layer is in that one's
time. Variants take turns in shuffled order, one turn of counted inferences each per round. Where loading is
quick, every round has fresh processes: counters are exact to a microsecond then, and where memory and code of
one process happen to lie is part of the scatter.

Inferences are made one after another, also by variants that have requests in flight elsewhere: a layer that
shares the processor with those of other requests has no time of its own. With several streams, a layer has
the threads of one of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation
from optguide.bench.series import InputDescription
from optguide.bench.session import DISCARD
from optguide.bench.validity import competition
from optguide.bench.variant import Variant, measured_of, require_unique_names
from optguide.errors import OptGuideError, OptionError
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS, Estimate, across_processes

_MADE_UP = re.compile(r"[A-Za-z]+_\d+(_.*)?|\d+")
"""Names such as ``Multiply_10057``."""


@dataclass(frozen=True)
class LayerTime:
    """One layer of a compiled model.

    :param kind: type of operation, such as ``Convolution``; ``Reorder`` rewrites data for the next layer.
    :param precision: precision of its computation, such as ``bf16`` or ``u8``.
    :param time: per inference, in microseconds; zero where it takes less than one.
    :param origin: layers of the original model that it stands for, itself and those fused into it.
    """

    name: str
    kind: str
    precision: str
    time: Estimate
    origin: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """A name that a reader knows: that of the first original layer whose name no converter made up.

        Of names from PyTorch only the module is left: its function is the ``kind``, or fused into it.
        """
        own = (name for name in (*self.origin, self.name) if not _MADE_UP.fullmatch(name))
        title = next(own, self.name)
        return title.partition("/aten::")[0].removeprefix("__module.") or title


@dataclass(frozen=True)
class KindTime:
    """All layers of one kind and precision together; the other parameters are those of :class:`LayerTime`.

    :param layers: their names.
    """

    kind: str
    precision: str
    layers: tuple[str, ...]
    time: Estimate


@dataclass(frozen=True)
class Round:
    """One turn of one variant.

    :param times: layer name to microseconds per inference.
    :param latency: microseconds per inference as the caller sees it, while layers are counted.
    :param calls: counted inferences.
    """

    times: Mapping[str, float]
    latency: float
    calls: int
    generation: int = 0


@dataclass(frozen=True)
class LayerTimes:
    """What the layers of several variants take.

    :param rounds: by variant name, one entry per round in which all took their turn.
    :param described: by variant name and layer name, its ``kind``, ``precision`` and ``origin``.
    :param effective: by variant name, properties as the device resolved them.
    :param versions: by package, its version, or several with "and" between them.
    :param others_share: share of the machine's CPU that other processes used meanwhile (0 to 1); NaN where
        the system does not tell.
    """

    rounds: Mapping[str, tuple[Round, ...]]
    described: Mapping[str, Mapping[str, Mapping[str, Any]]]
    failures: Mapping[str, OptGuideError]
    effective: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    others_share: float = math.nan
    inputs: Mapping[str, InputDescription] = field(default_factory=dict)

    def of(self, name: str) -> tuple[LayerTime, ...]:
        """Every layer of a variant, the slowest first.

        :raises NotEnoughSamples: fewer than six rounds.
        """
        layers = [
            LayerTime(
                layer,
                description["kind"],
                description["precision"],
                self.together(name, [layer]),
                tuple(description["origin"]),
            )
            for layer, description in self._layers(name).items()
        ]
        return tuple(sorted(layers, key=lambda layer: layer.time.value, reverse=True))

    def kinds(self, name: str) -> tuple[KindTime, ...]:
        """The layers of a variant by kind and precision, the slowest first; raises as :meth:`of`."""
        groups: dict[tuple[str, str], list[str]] = {}
        for layer, description in self._layers(name).items():
            groups.setdefault((description["kind"], description["precision"]), []).append(layer)
        kinds = [
            KindTime(*key, tuple(members), self.together(name, members)) for key, members in groups.items()
        ]
        return tuple(sorted(kinds, key=lambda kind: kind.time.value, reverse=True))

    def total(self, name: str) -> Estimate:
        """All layers together, in microseconds per inference; raises as :meth:`of`."""
        return self.together(name, self._members(name))

    def together(self, name: str, members: Sequence[str]) -> Estimate:
        """Some layers together, in microseconds per inference; raises as :meth:`of`."""
        rounds = self._of(name)
        return _at_least_zero(rounds, _per_round(rounds, members), "us")

    def latency(self, name: str) -> Estimate:
        """Of an inference as its caller sees it, while layers are counted, in us; raises as :meth:`of`."""
        rounds = self._of(name)
        return _at_least_zero(rounds, [turn.latency for turn in rounds], "us")

    def share(self, name: str, members: Sequence[str]) -> Estimate:
        """The time of some layers as a share of that of all, paired by round; raises as :meth:`of`."""
        rounds = self._of(name)
        totals = _per_round(rounds, self._members(name))
        parts = zip(_per_round(rounds, members), totals, strict=True)
        shares = [part / total if total else 0.0 for part, total in parts]
        return _at_least_zero(rounds, shares, "share", most=1.0)

    def compare(self, a: str, b: str, kind: str | None = None) -> Comparison | None:
        """How much less time the layers of one kind take in ``b`` than in ``a``, paired by round.

        :param kind: all layers where there is none.
        :return: nothing where one of the two spends no time in such layers, or none that was counted in some
            round.
        :raises NotEnoughSamples: fewer than six rounds.
        """
        sums = [_per_round(self._of(name), self._members(name, kind)) for name in (a, b)]
        if min(map(min, sums)) <= 0:
            return None
        first, second = map(np.asarray, sums)
        ratio = across_processes(first / second, [turn.generation for turn in self._of(a)])
        quantity = f"layers, {kind}" if kind else "layers"
        return Comparison(a, b, quantity, ratio, disturbed=competition(self.others_share))

    def _members(self, name: str, kind: str | None = None) -> list[str]:
        return [
            layer for layer, description in self._layers(name).items() if kind in (None, description["kind"])
        ]

    def _layers(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        self._of(name)  # refuses names of nothing
        return self.described[name]

    def _of(self, name: str) -> tuple[Round, ...]:
        return measured_of(name, self.rounds, self.failures)


def _per_round(rounds: Sequence[Round], members: Sequence[str]) -> list[float]:
    return [sum(turn.times.get(layer, 0.0) for layer in members) for turn in rounds]


def _at_least_zero(
    rounds: Sequence[Round], values: Sequence[float], unit: str, most: float = math.inf
) -> Estimate:
    """The median; what takes next to nothing can come out below zero where rounded means are subtracted."""
    estimate = across_processes(values, [turn.generation for turn in rounds], unit, variants=1)
    value, low, high = np.clip([estimate.value, estimate.low, estimate.high], 0.0, most)
    return replace(estimate, value=float(value), low=float(low), high=float(high))


ROUNDS = 9
"""The fewest for which an interval of 95 % leaves out the largest and the smallest of them."""

LOADING = 2.0
"""How many times the given seconds may go into loading models anew."""

PATIENCE, OVERTIME = 1.5, 4.0
"""How many times the given seconds six rounds and more may take, and how many fewer rounds may."""


def layers(
    variants: Sequence[Variant],
    *,
    seconds: float = 8.0,
    seed: int = 0,
    label: str = "times of layers",
    host: Host = THIS_MACHINE,
) -> LayerTimes:
    """Count the layers of each variant.

    A variant that fails is reported in ``failures`` and the others are counted all the same.

    :param seconds: for counted inferences, shared by all variants; loading comes on top, up to about twice
        as much. Where inferences are so long that six rounds do not fit, up to four times as much.
    """
    require_unique_names(variants, "A profile of layers")
    if not seconds > 0:
        raise OptionError(f"{seconds:g} s count nothing.", "Use a time above zero.")
    session = _Counting(variants, seconds, seed, host)
    session.run(label)
    return session.result()


class _Counting:
    """State of one session: what was counted of each variant and what it cost."""

    def __init__(self, variants: Sequence[Variant], seconds: float, seed: int, host: Host) -> None:
        processes = {variant.name: (_counting(variant),) for variant in variants}
        self.rotation = Rotation(processes, seed=seed, host=host)
        self.seconds = seconds
        self.loaded: dict[str, Mapping[str, Any]] = {}
        self.described: dict[str, dict[str, Any]] = {name: {} for name in processes}
        self.rounds: dict[str, list[Round]] = {name: [] for name in processes}
        self.spent = 0.0
        self.generation = 0
        self.sets = 1

    def run(self, label: str) -> None:
        rotation = self.rotation
        with rotation.held(label, self.seconds):
            count = 0
            while rotation.alive and self.generation < self.sets:
                with rotation.generation(self._load, done=count / ROUNDS):
                    if self.generation == 0:
                        rotation.visit(lambda name: rotation.workers[name].first_call(), done=0.0)
                        self.sets = _sets(LOADING * self.seconds / rotation.load_seconds)
                    for _ in range(ROUNDS // self.sets):
                        rotation.visit(self._turn, done=count / ROUNDS)
                        count += 1
                        if self._late(count):
                            return
                self.generation += 1

    def _late(self, count: int) -> bool:
        enough = count >= MINIMUM_ROUNDS
        return self.spent >= (PATIENCE if enough else OVERTIME) * self.seconds

    def result(self) -> LayerTimes:
        alive = self.rotation.alive
        return LayerTimes(
            {name: tuple(self.rounds[name]) for name in alive},
            {name: self.described[name] for name in alive},
            self.rotation.failures,
            {name: self.loaded[name]["effective"] for name in alive},
            _joined([self.loaded[name]["versions"] for name in alive]),
            self.rotation.others_share,
            {name: InputDescription.from_reply(self.loaded[name]["inputs"]) for name in alive},
        )

    def _load(self, name: str, worker: WorkerProcess) -> None:
        self.loaded[name] = worker.load()

    def _turn(self, name: str) -> None:
        worker, clock = self.rotation.workers[name], self.rotation.host.clock
        part = self.seconds / (ROUNDS * len(self.rotation.processes))
        start = clock()
        reply = worker.ask(
            part + GRACE_SECONDS, do="layers", seconds=(1 - DISCARD) * part, discard=DISCARD * part
        )
        self.spent += clock() - start
        self.described[name] |= reply["layers"]
        self.rounds[name].append(Round(reply["times"], reply["latency_us"], reply["calls"], self.generation))


def _joined(versions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Versions of each package that executed a variant, all of them where variants take several releases."""
    packages = dict.fromkeys(package for runtimes in versions for package in runtimes)
    return {
        package: " and ".join(dict.fromkeys(run[package] for run in versions if package in run))
        for package in packages
    }


def _sets(affordable: float) -> int:
    """Sets of processes for all rounds: one each, three, or a single one where no more can be loaded."""
    return next((sets for sets in (ROUNDS, MINIMUM_PROCESSES) if sets - 1 <= affordable), 1)


def _counting(variant: Variant) -> Variant:
    if not isinstance(variant.runtime, OpenVINO):
        return variant  # the worker says what it has to do with layers
    counting = {**variant.runtime.properties, "PERF_COUNT": "YES"}
    return variant.with_(variant.name, properties=counting, requests=None)
