"""Advice that can be tested, and what the measurements on this machine say about it.

A claim is written down in ``conf/claims/<chapter>.toml`` together with the results that decide it.
:func:`load` reads the files, :func:`evaluate` gives every claim its verdict. Verdicts look at intervals: a
condition holds or fails only where the whole interval lies on one side of its bound.
"""

from __future__ import annotations

from optguide.claims.model import MARGINS, Claim, Condition, Source, load
from optguide.claims.verdicts import (
    BUILD_OUTCOMES,
    Chance,
    ClaimOutcome,
    ConditionState,
    Verdict,
    decide,
    evaluate,
    is_read_back,
    judge,
    missing_needs,
)

__all__ = [
    "BUILD_OUTCOMES",
    "MARGINS",
    "Chance",
    "Claim",
    "ClaimOutcome",
    "Condition",
    "ConditionState",
    "Source",
    "Verdict",
    "decide",
    "evaluate",
    "is_read_back",
    "judge",
    "load",
    "missing_needs",
]
