"""The results of one interleaved session as entries of a recording."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from optguide.errors import DeviceError, EnvironmentMissing, NotEnoughSamples, PropertyError, RecordsError

if TYPE_CHECKING:
    from optguide.measuring.estimate import Estimate
    from optguide.measuring.result import SessionResult
    from optguide.records.recording import Recording

__all__ = ["add_session"]

ABSENT = (DeviceError, EnvironmentMissing, PropertyError)
"""What a machine may lack. Any other failure, such as a worker that was killed, is one of the build."""


def add_session(
    recording: Recording,
    prefix: str,
    result: SessionResult,
    names: Mapping[str, str],
    percentiles: Sequence[float],
    title: str,
) -> None:
    """Do what :meth:`optguide.records.Recording.add_session` describes."""
    before = f"{title}, " if title else ""
    for name, part in names.items():
        if name not in result.series and name not in result.failures:
            raise RecordsError(
                f"The session under {prefix} had no variant {name!r}.",
                f"Use the names it had: {', '.join([*result.series, *result.failures])}.",
            )
        for suffix, what, estimate in _quantities(result, name, percentiles):
            identifier = f"{prefix}.{part}.{suffix}"
            if name in result.failures:
                if not isinstance(result.failures[name], ABSENT):
                    raise result.failures[name]
                recording.unavailable(identifier, result.failures[name].message)
                continue
            try:
                found = estimate()
            except NotEnoughSamples as error:
                recording.unavailable(identifier, error.message)
            else:
                recording.add(
                    identifier, found, label=f"{before}{name}: {what}", evidence=_evidence(result, name)
                )
    try:
        control = result.control
    except NotEnoughSamples as error:
        recording.unavailable(f"{prefix}.control", error.message)
    else:
        if control is not None:
            recording.add_comparison(
                f"{prefix}.control", control, label=f"{before}{control.a} against itself"
            )


def _quantities(
    result: SessionResult, name: str, percentiles: Sequence[float]
) -> Iterator[tuple[str, str, Callable[[], Estimate]]]:
    """Last part of the identifier, words for readers, and how to get the estimate."""
    for percentile in percentiles:
        tag = f"{percentile:g}"
        words = "median latency" if percentile == 50 else f"p{tag} latency"
        # p99.9 has a dot, which would split the identifier.
        yield f"latency.p{tag.replace('.', '_')}", words, partial(result.latency, name, percentile)
    yield "throughput", "throughput", partial(result.throughput, name)
    yield "cpu_time", "CPU time per inference", partial(result.cpu_time, name)


def _evidence(result: SessionResult, name: str) -> dict[str, Any]:
    series, share = result.series[name], result.others_share
    return {
        "variant": series.variant.to_dict(evidence=True),
        "effective": series.effective,
        "versions": series.versions,
        "rounds": result.rounds,
        "ended": result.ended,
        "others_share": None if math.isnan(share) else share,
        "load_seconds": series.load_seconds,
        "peak_rss": series.peak_rss,
    }
