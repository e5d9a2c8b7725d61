"""What a run has found out and what follows from it, as data: the one thing that reports show.

Everything here is frozen, holds plain values only and goes through JSON without loss (:mod:`msgspec`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from optguide.bench.layers import LayerTime
from optguide.claims import Verdict
from optguide.optimize.candidate import Candidate, Precision, Settings, Space
from optguide.stats.estimate import Estimate

SCHEMA = 2
"""Version of ``state.json`` and ``report.json``. Raise it whenever one would be misunderstood."""

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

    :param name: the model's name in headings; never trusted in HTML.
    :param framework: format or framework it came from: ``OpenVINO IR``, ``ONNX``, ``PyTorch``.
    :param inputs: name to ``"f32 [1,3,224,224]"``.
    :param sha256: digest of the model file; empty for a function.
    :param samples: number of samples; 0 for random data.
    :param calibration: samples that calibrated quantization; none of them judged it.
    :param judged: samples that judged it.
    :param labelled: whether there are labels.
    :param notes: assumptions about samples and labels, in sentences.
    """

    name: str
    framework: str
    inputs: Mapping[str, str]
    sha256: str = ""
    samples: int = 0
    calibration: int = 0
    judged: int = 0
    labelled: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quality:
    """How right the answers of one precision are.

    :param metric: name for readers.
    :param proxy: it compares with the answers of the 32-bit model and not with labels; every report says so.
    :param value: the metric of this precision.
    :param loss: against 32-bit floats, paired by sample, positive where it is worse; in points for shares of
        right answers, otherwise as a share of the original's value. ``None`` for the original itself.
    :param limit: largest acceptable loss, in the unit of ``loss``.
    :param kept: whether the loss is within the limit, by its interval.
    :param note: sentences on why it cannot be shown: too few samples, and how many are needed.
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

    :param file: path of the model, relative to the run's folder; empty where making it failed.
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

    :param title: its purpose, such as ``"precisions"`` or ``"final"``.
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
class Resumption:
    """What a run needs in order to go on, and no report tells.

    :param place: folder in which paths and references of the settings hold.
    :param machine_id: tells whether it is still the same machine.
    :param fingerprints: digests of model, data and metric as the run began.
    :param source: the model, as :func:`optguide.optimize.model.encode` writes it; empty at first.
    :param space: deployments to try; ``None`` until the model is read.
    :param retry: whether artifacts that there had been too little time for are made or judged once more.
    :param profiled: candidates that the state's ``load``, ``layers`` and ``first_inference`` are about.
    :param claims_complete: whether the verdict on every claim is known.
    """

    place: str = ""
    machine_id: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    space: Space | None = None
    retry: bool = False
    profiled: tuple[str, ...] = ()
    claims_complete: bool = False


@dataclass(frozen=True)
class State:
    """What a run has found out.

    :param machine: facts of the machine.
    :param seconds: seconds of the budget that are gone.
    :param ended: ``None`` while it runs, and where the process was killed.
    :param rounds: rounds of the race; the last is the confirmation run where there was one.
    :param framework: the model's own framework; empty where it does not run here.
    :param load: open-loop curves of the winner and the default, by candidate name.
    :param layers: slowest layers ``before`` and ``after``.
    :param first_inference: by candidate name, from a fresh process to the first result, in ms.
    :param verdicts: the guide's claims on this model, so far.
    :param unmeasured: parts of the profile and claims that could not be measured, each with the reason.
    :param errors: failures beside those of candidates, such as the run's own.
    """

    schema: int
    version: str
    settings: Settings
    machine: Mapping[str, Any]
    started: str
    subject: SubjectFacts
    resumption: Resumption = field(default_factory=Resumption)
    finished: str = ""
    seconds: float = 0.0
    ended: Ended | None = None
    artifacts: tuple[Artifact, ...] = ()
    deployed: Mapping[str, Artifact] = field(default_factory=dict)
    rounds: tuple[RaceRound, ...] = ()
    framework: str = ""
    load: Mapping[str, tuple[LoadSample, ...]] = field(default_factory=dict)
    layers: Mapping[str, tuple[LayerTime, ...]] = field(default_factory=dict)
    first_inference: Mapping[str, Estimate] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    @property
    def race(self) -> tuple[RaceRound, ...]:
        """The rounds before the confirmation run."""
        return tuple(race_round for race_round in self.rounds if race_round.title != CONFIRMATION)

    @property
    def confirmation(self) -> RaceRound | None:
        """The round that decided; ``None`` where there was none, or nothing in it ran."""
        last = self.rounds[-1] if self.rounds else None
        return last if last is not None and last.title == CONFIRMATION and last.speeds else None


@dataclass(frozen=True)
class Decision:
    """What follows from a state.

    :param winner: name of the winning candidate; OpenVINO's default unless another one is shown to be better.
    :param default: name of the candidate that is OpenVINO's default.
    :param hint: name of the candidate that is the hint for the goal with nothing else set.
    :param standings: all candidates, the winner first.
    :param delivered: gains of the winner, paired in the last session, over ``default``, ``hint``, ``f32``
        and ``framework`` (the model's own, where it runs here), as far as they are other configurations.
    :param summary: the result in a few plain sentences, the decision first.
    :param speed_of_framework: speed of the model in its own framework, where that runs here.
    :param met: whether the winner meets the latency limit; ``None`` without one.
    :param closest: name of the candidate that came closest to a limit that none meets.
    :param warnings: reasons not to take the numbers at face value.
    """

    winner: str
    default: str
    hint: str
    standings: tuple[Standing, ...]
    delivered: Mapping[str, Estimate] = field(default_factory=dict)
    summary: tuple[str, ...] = ()
    speed_of_framework: Speed | None = None
    met: bool | None = None
    closest: str = ""
    warnings: tuple[str, ...] = ()

    def standing(self, name: str) -> Standing | None:
        """The standing of the candidate called ``name``."""
        return next((standing for standing in self.standings if standing.candidate.name == name), None)


@dataclass(frozen=True)
class Outcome:
    """Everything that is known at the end of a run, or at the point where it was interrupted."""

    state: State
    decision: Decision
