"""How long measuring may take: the budgets every example shares.

``quick`` is for a reader who runs one script and for continuous integration; ``full`` is what the
published guide uses. The profile is part of every record, since it decides how wide the intervals are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from optguide.bench.session import Budget
from optguide.errors import OptionError
from optguide.records.recording import DEFAULT_PROFILE, PROFILE_VARIABLE
from optguide.stats.estimate import MINIMUM_PROCESSES

__all__ = ["PROFILES", "Profile", "current"]


@dataclass(frozen=True)
class Profile:
    """Budgets of one kind of build.

    :param name: ``quick`` or ``full``.
    :param budget: limits of one interleaved session.
    :param repeats: fresh processes per variant where start-up is measured: six give an interval, from nine on
        it leaves the fastest and the slowest out.
    :param load_seconds: length of one open-loop point, in seconds.
    """

    name: str
    budget: Budget
    repeats: int
    load_seconds: float


PATIENCE = 90.0
"""Seconds for the first six rounds of a session: the guide needs intervals on a slow or busy machine too."""

PROFILES = {
    "quick": Profile(
        "quick",
        Budget(seconds=5.0, precision=0.05, block=0.1, patience=PATIENCE),
        repeats=6,
        load_seconds=1.0,
    ),
    "full": Profile(
        "full",
        Budget(seconds=24.0, precision=0.01, block=0.2, patience=PATIENCE, processes=MINIMUM_PROCESSES),
        repeats=9,
        load_seconds=3.5,
    ),
}


def current() -> Profile:
    """The profile named by the environment variable ``OPTGUIDE_PROFILE``; ``quick`` without it.

    :raises OptionError: the variable names no profile.
    """
    name = os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE)
    try:
        return PROFILES[name]
    except KeyError:
        raise OptionError(
            f"{PROFILE_VARIABLE} is {name!r}, which is no profile.", f"Use one of: {', '.join(PROFILES)}."
        ) from None
