"""Numbers and evidence in the form a record keeps: finite, and plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from optguide.errors import RecordsError
from optguide.paths import impersonal, shown
from optguide.records.model import Result

if TYPE_CHECKING:
    from optguide.measuring.estimate import Estimate

__all__ = ["plain", "result_of"]


def result_of(
    estimate: Estimate, what: str, *, label: str = "", evidence: Mapping[str, Any] | None = None
) -> Result:
    """The result of ``what`` that ``estimate`` gives.

    :raises RecordsError: a value that is no finite number, an interval whose ends are the wrong way round, or
        evidence that JSON cannot hold.
    """
    value, low, high = float(estimate.value), float(estimate.low), float(estimate.high)
    if not all(map(math.isfinite, (value, low, high))):
        raise RecordsError(
            f"{what} is {value} ({low} to {high}), which is no finite number.",
            "Record it as unavailable with the reason, or measure longer.",
        )
    if low > high:
        raise RecordsError(
            f"The interval of {what} runs from {low} down to {high}.", "Give the lower end first."
        )
    kept = {key: plain(item, what) for key, item in (evidence or {}).items()}
    return Result(value, low, high, estimate.unit, int(estimate.n), estimate.method, label, kept)


def plain(value: Any, what: str) -> Any:
    """``value`` as JSON has it: tuples as lists, paths as readers should see them.

    :raises RecordsError: a type that JSON has not, or a number that is not finite.
    """
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case str():
            return shown(value) if PurePath(value).is_absolute() else impersonal(value)
        case PurePath():
            return shown(value)
        case Mapping():
            return {str(key): plain(item, what) for key, item in value.items()}
        case Sequence():
            return [plain(item, what) for item in value]
    raise RecordsError(
        f"The evidence of {what} holds {value!r}, which JSON cannot keep.",
        "Give text, finite numbers, lists and mappings.",
    )
