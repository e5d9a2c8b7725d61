"""What a run has found out and what follows from it, as data: the one thing that reports show.

Everything here is frozen, holds plain values only and goes through JSON without loss (:mod:`msgspec`). The
reference page of ``report.json``, ``docs/reference/report.md``, says what every field of every class means; a
test holds it complete.
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
    """The reader's model and data, in words. The name is the reader's and never trusted in HTML."""

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

    A proxy compares with the answers of the 32-bit model and not with labels; every report says so. The loss
    is paired by sample, positive where it is worse: in points for shares of right answers, otherwise as a
    share of the original's value. The original itself has none.
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
    """A model in one precision, or why there is none. Its file is relative to the run's folder."""

    precision: Precision
    file: str = ""
    seconds: float = 0.0
    size: int = 0
    quality: Quality | None = None
    why_not: str = ""
    note: str = ""

    @property
    def is_unchecked(self) -> bool:
        """Whether there is a file, and its answers could not be checked; a broken file is not named."""
        return bool(self.file and self.why_not)


@dataclass(frozen=True)
class Speed:
    """What one session measured of one candidate.

    Latencies are of one inference, so of a whole batch, by ``"p50"``, ``"p95"``, ``"p99"``; those with too
    few samples are missing. The throughput is in inputs per second.
    """

    latency: Mapping[str, Estimate]
    throughput: Estimate
    cpu_time: Estimate | None
    peak_rss: int
    effective: Mapping[str, str]


@dataclass(frozen=True)
class RaceRound:
    """One session of the race; a ratio above one is better than the incumbent after it."""

    title: str
    incumbent: str
    seconds: float
    session_rounds: int
    others_share: float | None
    speeds: Mapping[str, Speed]
    ratios: Mapping[str, Estimate]
    failures: Mapping[str, str] = field(default_factory=dict)
    loading: float = 0.0
    processes: int = 1


@dataclass(frozen=True)
class Standing:
    """A candidate, how it fared, and why it lost; the ratio is to the candidate named in ``against``."""

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
    """What a run has found out; while it runs, and where the process was killed, ``ended`` is ``None``."""

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

    def artifact(self, precision: Precision) -> Artifact | None:
        """The model in a precision; ``None`` where the run has not come to it."""
        return next((artifact for artifact in self.artifacts if artifact.precision == precision), None)

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
    """What follows from a state. OpenVINO's default wins unless another one is shown to be better."""

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
