"""What a run has found out, as data: the one thing that reports are made of.

Everything here is frozen, holds plain values only and goes through JSON without loss (:mod:`msgspec`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from optguide.claims import Verdict
from optguide.optimize.candidate import Candidate, Precision
from optguide.optimize.config import Settings
from optguide.stats.estimate import Estimate

__all__ = [
    "CONFIRMATION",
    "SCHEMA",
    "Artifact",
    "Ended",
    "Kept",
    "Layer",
    "LoadSample",
    "Outcome",
    "Quality",
    "RaceRound",
    "Speed",
    "Standing",
    "Status",
    "SubjectFacts",
]

SCHEMA = 2
"""Version of the JSON form. Raise it whenever an older reader would misunderstand a newer report."""

CONFIRMATION = "confirmation"
"""Title of the round that decides. Its leader is the winner."""

Ended = Literal["finished", "budget spent", "interrupted", "failed"]
Kept = Literal["kept", "exceeded", "open", "not judged"]
Status = Literal[
    "winner",  # also where it is OpenVINO's default
    "slower",  # its interval against the leader excludes a win
    "not distinguishable",  # neither shown to be slower than the winner nor preferred to it
    "too inaccurate",  # the drop is shown to exceed the limit
    "accuracy not shown",  # the drop may exceed the limit, or nothing could judge it
    "over the latency limit",
    "latency limit not shown",  # too few samples for the percentile, or an interval on both sides
    "failed",
    "not tried",  # it promised too little, its precision could not win, or the budget was spent
]


@dataclass(frozen=True)
class SubjectFacts:
    """The reader's model and data, in words.

    :param name: of the model, for headings; never trusted in HTML.
    :param framework: what it came from: ``OpenVINO IR``, ``ONNX``, ``PyTorch``.
    :param inputs: name to ``"f32 [1,3,224,224]"``.
    :param sha256: of the model file; empty for a function.
    :param samples: number of samples; 0 for random data.
    :param calibration: samples that calibrated quantization; none of them judged it.
    :param judged: samples that judged it.
    :param labelled: whether there are labels.
    """

    name: str
    framework: str
    inputs: Mapping[str, str]
    sha256: str = ""
    samples: int = 0
    calibration: int = 0
    judged: int = 0
    labelled: bool = False


@dataclass(frozen=True)
class Quality:
    """How right the answers of one precision are.

    :param metric: name for readers.
    :param proxy: it compares with the answers of the 32-bit model and not with labels; every report says so.
    :param value: of this precision.
    :param loss: against 32-bit floats, paired by sample, positive where it is worse; in points for shares of
        right answers, otherwise as a share of the original's value. ``None`` for the original itself.
    :param limit: largest acceptable loss, in the unit of ``loss``.
    :param kept: whether the loss is within the limit, by its interval.
    :param note: what keeps it from being shown, in sentences: too few samples, and how many are needed.
    """

    metric: str
    proxy: bool
    value: Estimate
    loss: Estimate | None
    limit: float
    kept: Kept
    note: str = ""


@dataclass(frozen=True)
class Artifact:
    """A model in one precision.

    :param file: of the model, relative to the run's folder; empty where making it failed.
    :param seconds: it took.
    :param size: bytes of model and weights.
    :param why_not: why there is none, in one sentence.
    :param note: how it was made, and where ``quality`` is missing why nothing could judge it; sentences.
    """

    precision: Precision
    file: str = ""
    seconds: float = 0.0
    size: int = 0
    quality: Quality | None = None
    why_not: str = ""
    note: str = ""


@dataclass(frozen=True)
class Speed:
    """What one session measured of one candidate.

    :param latency: ``"p50"``, ``"p95"``, ``"p99"``; those with too few samples are missing. Of one inference,
        so of a whole batch.
    :param throughput: inputs per second.
    :param effective: properties as the device resolved them.
    """

    latency: Mapping[str, Estimate]
    throughput: Estimate
    cpu_time: Estimate | None
    peak_rss: int
    effective: Mapping[str, str]


@dataclass(frozen=True)
class RaceRound:
    """One session of the race.

    :param title: what it was for, such as ``"precisions"`` or ``"final"``.
    :param incumbent: name of the candidate that the others had to beat.
    :param seconds: all of it, on the clock of the wall.
    :param loading: seconds of it that starting processes took.
    :param speeds: by candidate name.
    :param ratios: by candidate name, how much better than the leader in the goal's quantity, paired by round.
    :param failures: by candidate name, one sentence.
    """

    title: str
    incumbent: str
    seconds: float
    session_rounds: int
    others_share: float | None
    speeds: Mapping[str, Speed]
    ratios: Mapping[str, Estimate]
    failures: Mapping[str, str] = field(default_factory=dict)
    loading: float = 0.0


@dataclass(frozen=True)
class Standing:
    """A candidate, how it fared, and why it lost.

    :param speed: from the last session in which it took part; ``None`` if it took part in none.
    :param ratio: to ``against``, above one where this candidate is better; paired in that same session.
    :param why: one sentence with the numbers that decided it.
    """

    candidate: Candidate
    status: Status
    why: str
    speed: Speed | None = None
    ratio: Estimate | None = None
    against: str = ""


@dataclass(frozen=True)
class LoadSample:
    """One offered rate of an open loop; latencies from the scheduled arrival, in ms."""

    offered: float
    achieved: float
    latencies: Mapping[str, Estimate]
    void: str = ""


@dataclass(frozen=True)
class Layer:
    """One layer of a compiled model.

    :param time: per inference, in microseconds.
    :param precision: it ran in.
    """

    name: str
    kind: str
    precision: str
    time: Estimate


@dataclass(frozen=True)
class Outcome:
    """Everything that is known at the end of a run, or at the point where it was interrupted.

    :param winner: name of the winning candidate; OpenVINO's default unless another one is shown to be better.
    :param default: name of the candidate that is OpenVINO's default.
    :param hint: name of the candidate that is the hint for the goal with nothing else set.
    :param delivered: what the winner gains, paired in the last session, over ``default``, ``hint``, ``f32``
        and ``framework`` (the model's own, where it runs here), as far as they are other configurations.
    :param speed_of_framework: of the model in its own framework, where it runs here.
    :param load: open-loop curves of the winner and the default, by candidate name.
    :param layers: slowest layers ``before`` and ``after``.
    :param first_inference: by candidate name, from a fresh process to the first result, in ms.
    :param verdicts: the guide's claims on this model.
    :param met: whether the winner meets the latency limit; ``None`` without one.
    :param closest: name of the candidate that came closest to a limit that none meets.
    :param summary: the result in a few plain sentences, the decision first.
    :param warnings: reasons not to take the numbers at face value.
    :param errors: what failed beside candidates, such as the run itself.
    """

    schema: int
    version: str
    settings: Settings
    subject: SubjectFacts
    machine: Mapping[str, Any]
    started: str
    finished: str
    seconds: float
    ended: Ended
    winner: str
    default: str
    hint: str
    artifacts: tuple[Artifact, ...]
    standings: tuple[Standing, ...]
    rounds: tuple[RaceRound, ...]
    delivered: Mapping[str, Estimate]
    summary: tuple[str, ...]
    framework: str = ""
    speed_of_framework: Speed | None = None
    load: Mapping[str, tuple[LoadSample, ...]] = field(default_factory=dict)
    layers: Mapping[str, tuple[Layer, ...]] = field(default_factory=dict)
    first_inference: Mapping[str, Estimate] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    met: bool | None = None
    closest: str = ""
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def confirmation(self) -> RaceRound | None:
        """The session that decided; ``None`` where there was none."""
        return next(
            (
                race_round
                for race_round in reversed(self.rounds)
                if race_round.title == CONFIRMATION and race_round.speeds
            ),
            None,
        )

    def standing(self, name: str) -> Standing:
        """The standing of the candidate called ``name``.

        :raises KeyError: there is none.
        """
        for standing in self.standings:
            if standing.candidate.name == name:
                return standing
        raise KeyError(name)
