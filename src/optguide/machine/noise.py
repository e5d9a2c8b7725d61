"""How much of a measurement would be the machine's own noise, and who makes it."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import psutil

from optguide.format import quantity
from optguide.machine.cgroup import throttled_seconds

NoiseLevel = Literal["quiet", "usable", "noisy"]

UNIT_SECONDS = 0.002
"""Length of one piece of work: many scheduler interruptions shorter than it would go unseen, and a much
longer one would leave too few repetitions for percentiles in a probe of two seconds."""


@dataclass(frozen=True)
class NoiseLimit:
    """Where one witness stops calling the machine quiet and starts calling it noisy.

    :param witness: field of :class:`NoiseProbe`.
    :param quiet: largest value of a quiet machine.
    :param noisy: values above it make the machine noisy.
    :param sentence: the finding where a value is above ``quiet``, with ``{}`` for the value.
    """

    witness: str
    quiet: float
    noisy: float
    unit: str
    sentence: str


LIMITS = (
    # Sessions aim at intervals of 1 to 5 %. Work that repeats within 3 % hardly widens them; beyond 15 % most
    # of a budget goes into averaging the machine out, and a tail percentile describes the machine.
    NoiseLimit(
        "spread", 0.03, 0.15, "share", "The same work takes times that spread over {} of their median."
    ),
    # Wall time beyond CPU time was spent ready and waiting for a core. Timer interrupts cost well under 1 %.
    NoiseLimit("wall_per_cpu", 1.02, 1.10, "ratio", "Work waits for a core: wall time is {} its CPU time."),
    # An idle desktop uses 1 to 3 %. From a quarter on, a model that uses all cores loses a core on a small
    # machine, and every latency depends on what the other programs do.
    NoiseLimit("others_share", 0.05, 0.25, "share", "Others use {} of the machine's CPU."),
    # Steal cannot be seen or avoided from inside, so even little of it deserves a word.
    NoiseLimit("steal_share", 0.01, 0.05, "share", "The hypervisor takes {} of the CPU away."),
)


@dataclass(frozen=True)
class NoiseProbe:
    """How noisy the machine was during a probe.

    :param seconds: length of the probe.
    :param repetitions: how often the same work was done.
    :param spread: (p90 - p10) / median of the wall times.
    :param wall_per_cpu: wall time of the work divided by the CPU time it got; 1 is undisturbed.
    :param others_share: share of the whole machine's CPU that went elsewhere, see :class:`OthersMeter`.
    :param steal_share: the part of it that the hypervisor took; ``nan`` where the system does not tell.
    :param load_average: processes running or waiting, averaged by the system over the last minute; the
        probe is one of them, and it says more about the past than about now, so no verdict looks at it.
    """

    seconds: float
    repetitions: int
    spread: float
    wall_per_cpu: float
    others_share: float
    steal_share: float
    load_average: float

    @property
    def verdict(self) -> NoiseLevel:
        """``noisy`` or ``usable`` when a witness is above its :data:`LIMITS`, ``quiet`` otherwise."""
        if any(getattr(self, limit.witness) > limit.noisy for limit in LIMITS):
            return "noisy"
        return "usable" if self.reasons else "quiet"

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for every witness that is above the limit of a quiet machine."""
        values = ((limit, getattr(self, limit.witness)) for limit in LIMITS)
        return tuple(
            limit.sentence.format(quantity(value, limit.unit))
            for limit, value in values
            if value > limit.quiet
        )

    @property
    def witnesses(self) -> dict[str, str]:
        """Name and text of each quantity, for readers."""
        spread = f"{quantity(self.spread, 'share')} of the median, 10th to 90th percentile"
        return {
            "Spread of equal work": spread,
            "Wall time per CPU time": quantity(self.wall_per_cpu, "ratio"),
            "CPU used by others": quantity(self.others_share, "share"),
            "CPU taken by the hypervisor": quantity(self.steal_share, "share"),
            "Load average": f"{self.load_average:.2f}",
        }


def busy_warnings(others_share: float) -> list[str]:
    """A warning where other processes used so much of the machine that the numbers are theirs too.

    :param others_share: CPU time of other processes as a share of the whole machine's (0 to 1).
    """
    (limit,) = (limit for limit in LIMITS if limit.witness == "others_share")
    if not others_share > limit.noisy:
        return []
    used = limit.sentence.format(quantity(others_share, limit.unit))
    return [f"{used} Latencies and throughputs are those of a busy machine."]


def probe(seconds: float = 2.0) -> NoiseProbe:
    """Repeat a fixed piece of work on one core and watch who disturbs it.

    It loads the machine while it runs, so the caller holds :func:`~optguide.machine.measuring_lock`.

    :param seconds: how long to repeat; below about 0.1 the shares are dominated by the clock ticks in
        which systems account for CPU time.
    """
    loops = _loops(UNIT_SECONDS)
    meter = OthersMeter([os.getpid()])
    walls: list[float] = []
    cpus: list[float] = []
    meter.start()
    stolen, begin = _steal(), time.perf_counter()
    while len(walls) < 2 or time.perf_counter() - begin < seconds:
        wall, cpu = _timed(loops)
        walls.append(wall)
        cpus.append(cpu)
    elapsed = time.perf_counter() - begin
    tenths = statistics.quantiles(walls, n=10, method="inclusive")
    return NoiseProbe(
        seconds=elapsed,
        repetitions=len(walls),
        spread=(tenths[8] - tenths[0]) / statistics.median(walls),
        wall_per_cpu=sum(walls) / sum(cpus) if sum(cpus) else math.nan,
        others_share=meter.stop(),
        steal_share=_stolen_share(_steal() - stolen, elapsed),
        load_average=psutil.getloadavg()[0],
    )


def _stolen_share(seconds: float, elapsed: float) -> float:
    """NaN stays NaN: the system does not tell. Below zero is the rounding of clock ticks."""
    return seconds if math.isnan(seconds) else max(0.0, seconds) / (elapsed * _cores())


class OthersMeter:
    """Share of the whole machine's CPU that everything except some processes used between two moments.

    Time the hypervisor took away counts as used by others: to the measured program it is the same loss.
    Systems account for CPU time in ticks of 10 ms (Linux), so one short block is a rough reading, and a
    negative difference is read as 0. Averaging such blocks would overstate small shares: for the share of
    a whole session use a second meter over all of it.

    :param pids: processes that are not "others", usually the workers and this process itself.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._own: list[psutil.Process] = []
        self._before = (math.nan, math.nan)
        self._throttled = self._stalled = 0.0
        self.share = math.nan
        """The share found by the last :meth:`stop`."""
        self.throttled = 0.0
        """Seconds for which the quota of this process's control group stopped it meanwhile."""
        self.stalled = 0.0
        """Seconds for which the machine lacked memory or slowed itself down meanwhile."""

    def start(self) -> None:
        """Take the first reading; again after :meth:`stop` for the next interval."""
        self._throttled, self._stalled = throttled_seconds(), stalled_seconds()
        self._before = self._reading()

    def stop(self) -> float:
        """The share since :meth:`start`, from 0 to 1.

        ``nan`` where the system does not tell what each process used, or when one of them has ended.
        """
        moment, others = self._reading()
        moment_before, others_before = self._before
        share = (others - others_before) / ((moment - moment_before) * _cores())
        self.share = share if math.isnan(share) else min(1.0, max(0.0, share))
        self.throttled = throttled_seconds() - self._throttled
        self.stalled = stalled_seconds() - self._stalled
        return self.share

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _reading(self) -> tuple[float, float]:
        """Now, and the CPU seconds of all others since the machine started."""
        try:
            self._own = self._own or [psutil.Process(pid) for pid in self._pids]
            own = sum(times.user + times.system for times in (process.cpu_times() for process in self._own))
        except psutil.Error:
            own = math.nan
        return time.perf_counter(), _busy() - own


def stalled_seconds(root: Path = Path("/")) -> float:
    """How long some process has waited for memory so far, and a core has been slowed down by heat.

    Linux tells the first as pressure, and on some processors counts the second; what it does not tell is 0.
    A clock frequency is read at one moment, and between two turns that is the one of an idle machine.
    """
    pressure = 0.0
    with suppress(OSError, ValueError, IndexError):
        some = (root / "proc/pressure/memory").read_text().split("total=")[1]
        pressure = int(some.split()[0]) / 1e6
    heat = [0]
    for file in (root / "sys/devices/system/cpu").glob("cpu*/thermal_throttle/*_throttle_total_time_ms"):
        with suppress(OSError, ValueError):
            heat.append(int(file.read_text()))
    return pressure + max(heat) / 1e3


def _cores() -> int:
    return psutil.cpu_count() or 1


def _busy() -> float:
    """CPU seconds of the whole machine that were not idle. Guests are part of ``user`` already."""
    times = psutil.cpu_times()._asdict()
    return float(sum(times[name] for name in times.keys() - {"idle", "iowait", "guest", "guest_nice"}))


def _steal() -> float:
    return float(getattr(psutil.cpu_times(), "steal", math.nan))


def _timed(loops: int) -> tuple[float, float]:
    """Wall and CPU seconds of one piece of work, which touches no memory and calls no library."""
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(loops):
        pass
    cpu = time.thread_time() - cpu
    return time.perf_counter() - wall, cpu


def _loops(seconds: float) -> int:
    """How many turns of the loop take ``seconds`` here, from the fastest of a few trials."""
    turns = 10_000
    return max(1, round(turns * seconds / min(_timed(turns)[0] for _ in range(20))))
