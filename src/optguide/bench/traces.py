"""Call by call from the first one on: how long each takes, and how memory grows meanwhile.

Sessions discard what happens once, such as the work for a shape that was never seen before. Here nothing is
discarded. The variants take turns in chunks of calls, so that slow changes of the machine meet all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import OptionError
from optguide.stats.estimate import Estimate, median_of_rounds

__all__ = ["Trace", "trace"]

MEGABYTE = 1e6
SECONDS_PER_CALL = 0.01
"""A guess, for the progress bar only."""


@dataclass(frozen=True)
class Trace:
    """The calls of one fresh process, in order.

    :param milliseconds: duration of each call.
    :param memory: pairs of calls so far and resident megabytes (of a million bytes), from before any call on;
        the peak so far where the system does not tell what is resident now.
    """

    milliseconds: tuple[float, ...]
    memory: tuple[tuple[int, float], ...]

    def growth(self, start: int) -> Estimate:
        """Memory after later chunks of calls as a multiple of that after the first ``start``; their median.

        :raises OptionError: memory was not looked at after so many calls.
        :raises NotEnoughSamples: fewer than six chunks follow.
        """
        sizes = dict(self.memory)
        if start not in sizes:
            raise OptionError(
                f"Memory was not looked at after {start} calls.", f"Use one of {', '.join(map(str, sizes))}."
            )
        later = [size / sizes[start] for calls, size in self.memory if calls > start]
        return median_of_rounds(later, "ratio")


def trace(
    variants: Sequence[Variant],
    calls: int,
    *,
    every: int,
    seed: int = 0,
    label: str = "call by call",
    host: Host = THIS_MACHINE,
) -> Mapping[str, Trace]:
    """Call each variant ``calls`` times in a fresh process of its own.

    A function goes on where it stopped; a variant with several input sets starts again in every chunk.

    :param every: calls of one chunk; memory is looked at after each.
    :param seed: seed for the order of turns.
    :raises Busy: another measurement is running.
    :raises OptGuideError: a variant failed.
    """
    if not 1 <= every <= calls:
        raise OptionError(f"{calls} calls have no chunks of {every}.", "Use at least one call per chunk.")
    require_unique_names(variants, "A trace")
    names = [variant.name for variant in variants]
    rotation = Rotation({v.name: (v,) for v in variants}, seed=seed, isolating=False, host=host)
    durations: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, list[tuple[int, float]]] = {}

    def load(name: str, worker: WorkerProcess) -> None:
        worker.load()
        memory[name] = [(0, _resident(worker))]

    def turn(name: str, *, chunk: int) -> None:
        worker = rotation.workers[name]
        reply = worker.ask(GRACE_SECONDS * chunk, do="consecutive", count=chunk)
        durations[name] += [nanoseconds / 1e6 for nanoseconds in reply["durations_ns"]]
        memory[name].append((len(durations[name]), _resident(worker)))

    with rotation.held(label, SECONDS_PER_CALL * calls * len(names)), rotation.generation(load):
        for start in range(0, calls, every):
            rotation.visit(partial(turn, chunk=min(every, calls - start)), done=start / calls)
    return {name: Trace(tuple(durations[name]), tuple(memory[name])) for name in names}


def _resident(worker: WorkerProcess) -> float:
    sizes = worker.ask(GRACE_SECONDS, do="memory")
    now = sizes["rss"] if sizes["rss"] is not None else sizes["peak_rss"]
    return float(now) / MEGABYTE
