"""How many streams and threads: settings worth trying, and which of them to take.

The device's own choice under the THROUGHPUT hint is where the search begins and, unless something is shown to
be faster, where it ends. OpenVINO's advice for a latency limit is to raise the number of streams until the
limit is met or throughput stops growing, so the alternatives are steps of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optguide.bench.result import SessionResult
from optguide.errors import OptionError

__all__ = ["Setting", "alternatives", "corners", "grid", "sweet_spot"]


@dataclass(frozen=True, order=True)
class Setting:
    """A number of streams, and of threads for all of them together."""

    streams: int
    threads: int

    @property
    def name(self) -> str:
        """``2 streams, 4 threads``."""
        numbers = ((self.streams, "stream"), (self.threads, "thread"))
        return ", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in numbers)

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties that request this setting from OpenVINO."""
        return {"NUM_STREAMS": str(self.streams), "INFERENCE_NUM_THREADS": str(self.threads)}


def grid(processors: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Numbers of streams and of threads to combine, from one to twice as many as there are processors.

    The last of each is more than the processors can run at a time, to show what that brings.

    :param processors: upper end of ``RANGE_FOR_STREAMS``, the processors that OpenVINO sees.
    """
    streams = {1, 2, processors // 2, processors, 2 * processors}
    threads = {1, processors // 2, processors, 2 * processors}
    return tuple(sorted(streams - {0})), tuple(sorted(threads - {0}))


def corners(processors: int) -> dict[str, Setting]:
    """The most telling settings of the grid, by name."""
    return {
        "single": Setting(1, 1),
        "one_stream": Setting(1, processors),
        "per_processor": Setting(processors, processors),
        "past_streams": Setting(2 * processors, processors),
        "past_threads": Setting(1, 2 * processors),
    }


def alternatives(default: Setting, processors: int) -> tuple[Setting, ...]:
    """What to try beside the device's choice: few settings, also on many processors.

    All threads with one stream, two, four and so on up to twice as many streams as the device chose; and half
    and double of the threads. Settings that the device would reduce are left out, and so is ``default``.

    :param default: the device's own choice.
    """
    steps = [2**step for step in range(default.threads.bit_length()) if 2**step <= 2 * default.streams]
    settings = {Setting(streams, default.threads) for streams in steps if streams <= default.threads}
    settings |= {
        Setting(min(default.streams, threads), threads)
        for threads in (default.threads // 2, 2 * default.threads)
        if 1 <= threads <= processors
    }
    return tuple(sorted(settings - {default}))


def sweet_spot(
    result: SessionResult, default: str, others: Sequence[str], limit_ms: float | None = None
) -> str:
    """The variant with the highest throughput whose median latency keeps a limit.

    The default stays unless another one is shown to be faster: the best of several equals is best by luck.

    :param default: name of the variant with the device's own choice.
    :param others: names of the alternatives; those that failed are left out.
    :param limit_ms: upper bound of the median latency, which its whole interval has to keep.
    :raises OptionError: no variant keeps the limit.
    """
    measured = [name for name in (default, *others) if name not in result.failures]
    latencies = {name: result.latency(name) for name in measured}
    within = [name for name in measured if limit_ms is None or latencies[name].high <= limit_ms]
    if not within:
        lowest = min(latencies.values(), key=lambda latency: latency.high)
        raise OptionError(
            f"No setting keeps a latency of {limit_ms:.3g} ms; the shortest is {lowest.value:.3g} ms, "
            f"at most {lowest.high:.3g} ms.",
            "Raise the limit, or make the model faster.",
        )
    best = max(within, key=lambda name: result.throughput(name).value)
    if default in within and not result.compare(default, best, "throughput").ratio.low > 1:
        return default
    return best
