"""How long measuring may take: one number of minutes, from which every example's budget follows.

``quick`` and ``full`` are two values of it: one for a reader who runs one script and for continuous
integration, one for a published guide. The profile is part of every record, since it decides how wide the
intervals are.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, replace
from types import FrameType

from optguide.bench.session import Budget
from optguide.errors import OptionError
from optguide.guide.questions import questions
from optguide.records.reading import calling_script
from optguide.records.recording import DEFAULT_PROFILE, LEFT_OUT, PROFILE_VARIABLE, Recording
from optguide.stats.estimate import MINIMUM_PROCESSES

SESSIONS = 30.0
"""How many budgets the sessions of all examples take together; start-ups, loads and traces come on top."""

THOROUGH = 8.0
"""Minutes from which on examples measure everything; below, they leave out their longest parts."""

PATIENCE = 90.0
"""Seconds for the first six rounds of a session: the guide needs intervals on a slow or busy machine too."""

SUFFIX = "-minute"


@dataclass(frozen=True)
class Profile:
    """Budgets of one kind of build.

    :param name: ``full`` where examples measure everything, otherwise ``quick``.
    :param budget: limits of one interleaved session.
    :param repeats: fresh processes per variant where start-up is measured: six give an interval, from nine on
        it leaves the fastest and the slowest out.
    :param load_seconds: length of one open-loop point, in seconds.
    """

    name: str
    budget: Budget
    repeats: int
    load_seconds: float


def of_minutes(minutes: float) -> Profile:
    """The budgets of a build that is to spend about so many minutes in sessions.

    :raises OptionError: fewer minutes than one, or a number that is not finite.
    """
    if not 1 <= minutes < math.inf:
        raise OptionError(f"{minutes:g} minutes are no budget of a build.", "Give at least one minute.")
    seconds = 60 * minutes / SESSIONS
    if minutes < THOROUGH:
        budget = Budget(seconds, precision=0.05, block=0.1, patience=PATIENCE)
        return Profile("quick", budget, repeats=6, load_seconds=0.7)
    budget = Budget(seconds, precision=0.01, block=0.2, patience=PATIENCE, processes=MINIMUM_PROCESSES)
    return Profile("full", budget, repeats=9, load_seconds=3.5)


PROFILES = {"quick": of_minutes(1), "full": of_minutes(12)}


def name_of_minutes(minutes: float) -> str:
    """What names the profile of so many minutes in records and in ``OPTGUIDE_PROFILE``.

    :raises OptionError: as :func:`of_minutes`.
    """
    of_minutes(minutes)
    return f"{minutes:g}{SUFFIX}"


def named(name: str) -> Profile:
    """The profile ``quick``, ``full``, or one of so many minutes: ``7-minute``.

    :raises OptionError: there is no such profile.
    """
    if name in PROFILES:
        return PROFILES[name]
    try:
        return of_minutes(float(name.removesuffix(SUFFIX)) if name.endswith(SUFFIX) else math.nan)
    except (ValueError, OptionError):
        raise OptionError(
            f"{PROFILE_VARIABLE} is {name!r}, which is no profile.",
            f"Use one of: {', '.join(PROFILES)}, or such as 7{SUFFIX}.",
        ) from None


def current() -> Profile:
    """The profile that the environment variable ``OPTGUIDE_PROFILE`` names; ``quick`` without it.

    Where claims look at what the calling example records, its sessions end once they have decided them, and
    those that have not go on with the time that others have saved.

    :raises OptionError: the variable names no profile.
    """
    return _current(sys._getframe(1))


def budget(share: float = 1.0) -> Budget:
    """The budget of one session of the calling example, or so much of it; see :func:`current`.

    :param share: factor by which its seconds are multiplied.
    """
    whole = _current(sys._getframe(1)).budget
    return replace(whole, seconds=share * whole.seconds)


def full() -> bool:
    """Whether the profile measures everything; the quick one leaves the longest parts out."""
    return named(os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE)).name == "full"


def full_only(record: Recording, *patterns: str) -> None:
    """State in ``record`` that only the full profile measures what ``patterns`` match."""
    for pattern in () if full() else patterns:
        record.unavailable(pattern, LEFT_OUT)


def _current(frame: FrameType) -> Profile:
    profile = named(os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE))
    script, _ = calling_script(frame)
    return replace(profile, budget=replace(profile.budget, questions=questions(script)))
