"""A machine that exists in numbers only: it measures a known truth with the noise of a real one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from optguide.bench.load import LatencyLimit
from optguide.bench.loops import poisson
from optguide.bench.result import SessionResult
from optguide.bench.rotation import Host
from optguide.bench.series import FirstCall
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.optimize.candidate import PRECISIONS, Candidate, Deployment, Goal, Precision, space_of
from optguide.optimize.outcome import RaceRound
from optguide.optimize.search.planning import SearchContext
from optguide.optimize.search.race import confirm, race
from optguide.optimize.search.race_state import Rules
from optguide.runtimes.openvino import OpenVINO

INPUTS = {"random": True, "shapes": {"x": ["float32", 1, 16]}, "notes": []}
"""What every variant there is called with."""


class Machine:
    """Where sessions run in tests: the workers cost no time, and the clock says what they would have taken.

    :param cost: true seconds per input of a variant; it may raise.
    :param in_flight: inferences in flight of a variant.
    :param load: seconds to start a process.
    :param process: by how much two processes of one variant differ (standard deviation of the logarithm).
    :param block: the same for two turns of one process.
    :param drift: the same for the speed of the machine over the session, which all variants share.
    :param order: by how much (logarithm) the first of eight workers alive at once is slower than the last.
    """

    def __init__(
        self,
        cost: Callable[[Variant], float],
        *,
        in_flight: Callable[[Variant], int] = lambda variant: 1,
        load: float = 0.8,
        process: float = 0.004,
        block: float = 0.012,
        drift: float = 0.03,
        order: float = 0.0,
        effective: Callable[[Variant], Mapping[str, str]] = lambda variant: {"VARIANT": variant.name},
        seed: int = 0,
    ) -> None:
        self.cost, self.in_flight, self.load, self.effective = cost, in_flight, load, effective
        self.process, self.block, self.drift, self.order = process, block, drift, order
        self.living = 0
        self.random = np.random.default_rng(seed)
        self.now = 0.0
        self.sessions: list[tuple[str, ...]] = []
        self.host = Host(partial(SimulatedWorker, self), self.clock, _unheld, lambda _pids: Quiet(), lanes=1)
        self._speed = 0.0  # logarithm, drifting

    def clock(self) -> float:
        return self.now

    def measure(
        self, variants: Sequence[Variant], budget: Budget, *, seed: int = 0, label: str = ""
    ) -> SessionResult:
        self.sessions.append(tuple(variant.name for variant in variants))
        return measure(variants, budget, seed=seed, label=label, host=self.host)

    def turn(self, cost: float, batch: int, queue: int, length: float) -> dict[str, Any]:
        """What a worker replies after a block of so many seconds."""
        self._speed = 0.98 * self._speed + float(self.random.normal(0, self.drift * 0.2))
        noise = float(self.random.normal(0, self.block)) + 0.1 * (self.random.random() < 0.02)
        call = cost * batch * math.exp(noise + self._speed)
        calls = queue * max(1, math.ceil(length / call / queue))
        latencies = call * queue * np.exp(self.random.normal(0, 0.03, min(calls, 40)))
        self.now += max(0.1 * length, 2 * queue * call) + calls * call
        return {"latencies_ns": latencies * 1e9, "wall_ns": calls * call * 1e9, "cpu_ns": 0, "calls": calls}


class SimulatedWorker:
    """A process on such a machine; each differs a little from the next one of the same variant."""

    pid = 0

    def __init__(self, machine: Machine, variant: Variant) -> None:
        self.machine, self.variant = machine, variant
        self.batch = getattr(variant.runtime, "batch", None) or 1
        self.bias = math.exp(machine.random.normal(0, machine.process) - machine.order * machine.living / 7)
        machine.living += 1

    def load(self, slot: int = 0) -> dict[str, Any]:
        machine = self.machine
        machine.now += machine.load
        self.cost = machine.cost(self.variant) * self.bias
        reply = {"stages": {"import": 0.0, "read": 0.0, "compile": machine.load}, "inputs": INPUTS}
        return reply | {"effective": machine.effective(self.variant), "versions": {}}

    def first_call(self, slot: int = 0) -> FirstCall:
        return FirstCall(frames=self.batch)

    def warm_up(self, slot: int = 0) -> None:
        pass

    def send(self, **request: Any) -> None:
        self.request = request

    def receive(self, timeout: float) -> dict[str, Any]:
        return self.ask(timeout, **self.request)

    def ask(self, timeout: float, *, do: str, **request: Any) -> dict[str, Any]:
        answer: Callable[..., dict[str, Any]] = getattr(self, f"_{do}")
        return answer(**request)

    def _memory(self) -> dict[str, Any]:
        return {"peak_rss": 1, "rss": 1, "private": 1}

    def _overhead(self, slot: int) -> dict[str, Any]:
        return {}

    def _consecutive(self, count: int) -> dict[str, Any]:
        return {"durations_ns": [self.cost * self.batch * 1e9] * count}

    def _block(self, seconds: float, discard: float = 0.0, linger: float = 0.0) -> dict[str, Any]:
        queue = self.machine.in_flight(self.variant)
        return self.machine.turn(self.cost, self.batch, queue, seconds)

    def _serve(self, rate: float, seconds: float, seed: int, patience: float) -> dict[str, Any]:
        """One request after the other, as they arrive; the schedule is the real one."""
        service, free, latencies, served = self.cost * self.batch, 0.0, [], []
        schedule = np.array(poisson(rate, seconds, seed)) / 1e9
        for due in schedule:
            begun = max(due, free)
            if begun > patience:
                break
            served.append(service * math.exp(self.machine.random.normal(0, 0.03)))
            free = begun + served[-1]
            latencies.append(free - due)
        self.machine.now += max(seconds, free)
        nanoseconds = {"latencies_ns": latencies, "served_ns": served, "lateness_ns": [1e-6]}
        reply = {name: [1e9 * value for value in values] for name, values in nanoseconds.items()}
        return reply | {"scheduled": len(schedule), "window_ns": 1e9 * free}

    def _layers(self, seconds: float, discard: float) -> dict[str, Any]:
        """One layer that takes all the time there is but a tenth."""
        turn = self.machine.turn(self.cost, self.batch, 1, seconds)
        latency = turn["wall_ns"] / turn["calls"] / 1e3
        described = {"all": {"kind": "Convolution", "precision": "f32", "origin": []}}
        times = {"all": 0.9 * latency}
        return {"times": times, "latency_us": latency, "calls": turn["calls"], "layers": described}

    def end(self) -> None:
        pass

    def __enter__(self) -> SimulatedWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.machine.living -= 1


class Quiet:
    """A meter that finds hardly anybody else on the machine."""

    share, throttled, stalled = 0.01, 0.0, 0.0

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        pass


UNDISTURBED = Host(meter=lambda _pids: Quiet())
"""This machine, where whatever else runs meanwhile spoils no round."""


@contextmanager
def _unheld(label: str, seconds: float) -> Iterator[Callable[[float, str], None]]:
    yield lambda done, what: None


class Scene:
    """Candidates on such a machine, each with a known truth.

    :param rate: true inputs per second of a candidate.
    """

    def __init__(
        self,
        rate: Callable[[Candidate], float],
        goal: Goal = "throughput",
        *,
        precisions: Sequence[Precision] = ("default", "int8"),
        not_eligible: Sequence[Precision] = (),
        processors: int = 2,
        batchable: bool = True,
        limit: LatencyLimit | None = None,
        own: tuple[int, int] | None = None,
        **machine: Any,
    ) -> None:
        streams, threads = own or ((processors, processors) if goal == "throughput" else (1, processors))
        self.space = space_of(
            goal, streams=streams, threads=threads, processors=processors, batchable=batchable
        )
        latency = Deployment(hint="LATENCY")
        hint = latency if goal == "latency" else Deployment(hint="THROUGHPUT", requests=0)
        default = Candidate("default")
        self.rules = Rules(goal, default, Candidate("default", hint), tuple(precisions), limit)
        self.rate = rate
        self.named: dict[str, Candidate] = {}
        machine.setdefault("in_flight", self._in_flight)
        self.machine = Machine(self._cost, **machine)
        self.context = SearchContext(
            self.space,
            self.rules,
            lambda candidate: Variant(
                candidate.name, model="model.xml", runtime=OpenVINO(batch=candidate.deployment.batch)
            ),
            tuple(not_eligible),
            measure=self.machine.measure,
            clock=self.machine.clock,
        )
        self.entrants = self.context.entrants
        everyone = [Candidate(precision, c.deployment) for precision in PRECISIONS for c in self.entrants]
        self.named.update((candidate.name, candidate) for candidate in everyone)

    def run(self, seconds: float = 200, final_seconds: float = 60, seed: int = 0) -> tuple[RaceRound, ...]:
        """Race and final."""
        rounds = race(self.context, seconds=seconds, seed=seed)
        if not rounds:
            return ()
        return (*rounds, confirm(self.context, rounds, seconds=final_seconds, seed=seed))

    def best(self) -> Candidate:
        """The truth."""
        return max(filter(self.rules.may_win, self.entrants), key=self.rate)

    def share(self, name: str) -> float:
        """What a candidate reaches of the best that there is."""
        return self.rate(self.named[name]) / self.rate(self.best())

    def _cost(self, variant: Variant) -> float:
        return 1 / self.rate(self.named[variant.name])

    def _in_flight(self, variant: Variant) -> int:
        place = self.space.place(self.named[variant.name].deployment)
        return max(1, place.streams * place.requests)
