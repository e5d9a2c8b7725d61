"""What a probe is: one short session on the reader's model that yields results for conditions to look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from optguide.claims.on_model.model import Subject
from optguide.errors import Busy, OptGuideError
from optguide.records import Result
from optguide.stats.estimate import Estimate

__all__ = ["Asked", "Found", "Probe", "gather", "reason"]

Asked = tuple[str, Callable[[], Estimate]]
"""What sentences call a result, and what estimates it."""

Found = Mapping[str, Result | str]
"""Results by identifier, or why there is none, in one sentence."""


class Probe(Protocol):
    """One short session. Results that nobody asks for are neither measured nor returned."""

    @property
    def results(self) -> Collection[str]:
        """Identifiers of all results that it can yield."""

    def obstacle(self, result: str, subject: Subject) -> str:
        """Why a result means nothing for this model or device, in one sentence; empty if it does."""

    def least(self, wanted: Collection[str], subject: Subject) -> float:
        """Seconds below which it cannot answer, loading included; an estimate."""

    def run(self, wanted: Collection[str], subject: Subject, seconds: float, label: str) -> Found:
        """Everything in ``wanted``, or why there is none.

        :param seconds: for everything, loading included.
        :param label: what progress shows.
        """


def gather(asked: Mapping[str, Asked], evidence: Mapping[str, Any] | None = None) -> Found:
    """Results of a session that is over, by identifier; what failed or had too few samples has its reason.

    :param evidence: about the session.
    """
    known = evidence or {}
    return {identifier: _result(label, estimated, known) for identifier, (label, estimated) in asked.items()}


def reason(error: OptGuideError) -> str:
    """Why a session or one of its variants gave nothing.

    :raises Busy: the machine is taken: nothing that follows could be measured either.
    """
    if isinstance(error, Busy):
        raise error
    return error.message


def _result(label: str, estimated: Callable[[], Estimate], evidence: Mapping[str, Any]) -> Result | str:
    try:
        found = estimated()
    except OptGuideError as error:
        return reason(error)
    return Result(found.value, found.low, found.high, found.unit, found.n, found.method, label, evidence)
