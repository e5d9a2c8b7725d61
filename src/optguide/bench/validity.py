"""Whether the numbers of a session hold: which rounds the machine spoiled, and whether equal variants differ.

Rounds are left out by a rule that is fixed in advance and never looks at a result. A setting that a device
clamps, ignores or has by default makes no other program of the same model. That is read back from the
compiled model; timing such a pair only says how far the session can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from optguide.bench.series import Series
from optguide.bench.variant import Variant
from optguide.errors import NotEnoughSamples
from optguide.format import estimate as text
from optguide.format import quantity
from optguide.openvino_release import VIRTUAL_DEVICES
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS, Estimate

OTHERS_SHARE = 0.25
"""Above it, others than the session take a core of a small machine: where :data:`.noise.LIMITS` say noisy."""

THROTTLED_SHARE = 0.05
"""Of a round, for which a quota may stop the session's processes."""

STALLED_SHARE = 0.05
"""Of a round, for which the machine may lack memory or be slowed down by heat."""

SHORTEST = 0.1
"""Seconds of a round that can be judged: systems count CPU time in ticks of 10 ms."""


@dataclass(frozen=True)
class RoundConditions:
    """What the system told about one round.

    :param others_share: share of the machine's CPU that others, or the hypervisor, used; NaN if unknown.
    :param throttled: seconds for which a quota stopped the session's processes.
    :param stalled: seconds for which the machine lacked memory or was slowed down by heat.
    """

    generation: int
    seconds: float
    others_share: float
    throttled: float
    stalled: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether others took too much of the machine, or it was not itself."""
        stalled = self.stalled > STALLED_SHARE * self.seconds
        return stalled or (self.seconds >= SHORTEST and self.others_share > OTHERS_SHARE)

    @property
    def stopped(self) -> bool:
        """Whether a quota stopped the session for too long."""
        return self.throttled > THROTTLED_SHARE * self.seconds


@dataclass(frozen=True)
class Spoiling:
    """What follows for a session.

    :param competitor: the activity that spoiled so many rounds that none is left out; empty otherwise.
    """

    rounds: frozenset[int] = frozenset()
    competitor: str = ""


def competition(others_share: float) -> str:
    """Why a session without rounds is disturbed, as a sentence; empty where others took little or unknown."""
    if not others_share > OTHERS_SHARE:
        return ""
    return f"The session is disturbed: others used {quantity(others_share, 'share')} of the machine's CPU."


def spoiling(rounds: Sequence[RoundConditions]) -> Spoiling:
    """Leave out spoiled rounds where most are not; otherwise the whole session is disturbed.

    A quota that stops the session in most rounds is a condition under which it was measured.
    """
    quota = 2 * sum(conditions.stopped for conditions in rounds) <= len(rounds)
    spoiled = [conditions.busy or (quota and conditions.stopped) for conditions in rounds]
    remaining = [conditions for conditions, bad in zip(rounds, spoiled, strict=True) if not bad]
    sets = len({conditions.generation for conditions in remaining})
    enough = 2 * len(remaining) >= len(rounds) and (
        sets >= MINIMUM_PROCESSES or len(remaining) >= MINIMUM_ROUNDS
    )
    if enough or not any(spoiled):
        return Spoiling(frozenset(index for index, bad in enumerate(spoiled) if bad))
    share = f"{sum(spoiled)} of {len(rounds)} rounds"
    return Spoiling(
        competitor=f"other processes, a quota, heat or lack of memory took much of the machine in {share}"
    )


HINT = "PERFORMANCE_HINT"
IN_FLIGHT = "requests in flight"
WORDING = (HINT, "NETWORK_NAME")
"""Read back as they were asked for: what a hint means for the CPU is in the streams, threads and requests."""

RESOLVED_FROM_HINT = ("NUM_STREAMS", "INFERENCE_NUM_THREADS")


def resolved(effective: Mapping[str, str]) -> dict[str, str]:
    """The properties that a device resolved, less what only says how it was asked."""
    return {key: value for key, value in effective.items() if key not in WORDING}


def same_by_settings(
    a: Variant, b: Variant, effective_a: Mapping[str, str], effective_b: Mapping[str, str]
) -> Mapping[str, str] | None:
    """What the settings in which two variants differ were resolved to, where that is the same for both.

    AUTO and the other devices that stand before a device add time of their own to each call, so they are not
    that device, and behind them no two settings count as the same. Neither do two of which one was asked for
    what cannot be read back.

    :return: empty for two copies of one variant; ``None`` where the two can differ.
    """
    if a.with_(b.name) == b:
        return {}
    if not (isinstance(a.runtime, OpenVINO) and isinstance(b.runtime, OpenVINO)):
        return None
    if _without_resolved(a) != _without_resolved(b) or a.runtime.device.startswith(VIRTUAL_DEVICES):
        return None
    asked = [_asked(a.runtime), _asked(b.runtime)]
    differing = [key for key in asked[0] | asked[1] if asked[0].get(key) != asked[1].get(key)]
    if a.runtime.requests != b.runtime.requests:
        differing.append(IN_FLIGHT)
    if resolved(effective_a) != resolved(effective_b) or any(key not in effective_a for key in differing):
        return None
    if HINT in differing and effective_a[HINT] != effective_b[HINT]:
        if a.runtime.device != "CPU":
            return None
        differing = [key for key in (*differing, *RESOLVED_FROM_HINT) if key != HINT]
    return {key: effective_a[key] for key in dict.fromkeys(differing)}


def cannot_differ(a: Series, b: Series) -> Mapping[str, str] | None:
    """What :func:`same_by_settings` says of two variants that also gave the very same answers."""
    same = same_by_settings(a.variant, b.variant, a.effective, b.effective)
    equal = len(a.outputs) == len(b.outputs) and all(map(np.array_equal, a.outputs, b.outputs))
    return same if equal else None


def controls(series: Mapping[str, Series]) -> list[tuple[str, str]]:
    """Variants that cannot differ, each beside the first of its kind."""
    kinds: list[str] = []
    pairs = []
    for name, own in series.items():
        equal = next((kind for kind in kinds if cannot_differ(series[kind], own) is not None), None)
        if equal is None:
            kinds.append(name)
        else:
            pairs.append((equal, name))
    return pairs


def shown_to_differ(pairs: Iterable[tuple[str, str]], ratio: Callable[[str, str], Estimate]) -> str:
    """Which of :func:`controls` differs beyond the margin of equivalence, as a sentence; empty if none."""
    for a, b in pairs:
        with suppress(NotEnoughSamples):
            estimate = ratio(a, b)
            if estimate.relation(1 - EQUIVALENT, 1 + EQUIVALENT) in ("above", "below"):
                return f"The session is disturbed: {b} over {a}, which cannot differ, is {text(estimate)}."
    return ""


def _without_resolved(variant: Variant) -> Variant:
    """The variant less its name and those settings whose outcome can be read back."""
    runtime = replace(variant.openvino, properties={}, precision=None, threads=None, requests=None)
    return replace(variant, name="any", runtime=runtime)


def _asked(runtime: OpenVINO) -> dict[str, str]:
    settings = {"INFERENCE_PRECISION_HINT": runtime.precision, "INFERENCE_NUM_THREADS": runtime.threads}
    named = {key: str(value) for key, value in settings.items() if value is not None}
    return named | dict(runtime.properties)
