"""How the report writes numbers, times and code, and its templates.

Templates whose names end in ``.html.jinja`` escape every value; the others write Python, where the filter
``code`` quotes.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import datetime
from typing import Any

import jinja2

from optguide import format as fmt
from optguide.optimize.outcome import RaceRound
from optguide.stats.estimate import Estimate

MISSING = "\N{EN DASH}"


def value_and_interval(estimate: Estimate | None) -> tuple[str, str]:
    """Both apart, for where one stands below the other; a dash where nothing was measured."""
    if estimate is None:
        return MISSING, ""
    value, _, interval = fmt.estimate(estimate).partition(" (")
    return value, interval.rstrip(")")


def per_input(throughput: Estimate) -> Estimate:
    """A throughput in the unit of what it counts: of a batch, every input."""
    return replace(throughput, unit="inputs/s")


def when(text: str) -> str:
    """A time such as ``24 November 2026, 12:30 UTC``; what is no ISO 8601 time stays as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = f" {time.tzname()}" if time.tzinfo else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"


def session(race_round: RaceRound) -> str:
    """How long a session was, and how quiet the machine."""
    text = f"{fmt.duration(race_round.seconds)}, {race_round.session_rounds} rounds"
    if race_round.others_share is None:
        return text
    return f"{text}; other processes used {fmt.quantity(race_round.others_share, 'share')} of the CPU"


def template(name: str) -> jinja2.Template:
    """A template of the report. A name that it is not given is an error, not an empty text."""
    return _environment().get_template(name)


@functools.cache
def _environment() -> jinja2.Environment:
    # Only pages are escaped: an entity would be wrong in Python code.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("optguide.optimize.report"),
        autoescape=lambda name: name is None or name.endswith(".html.jinja"),  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    return environment


def code(value: Any) -> str:
    """A text, or a mapping of texts, as Python code in one line and in ASCII."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{code(key)}: {code(item)}" for key, item in value.items()) + "}"
    plain = isinstance(value, str) and value.isascii() and value.isprintable()
    return f'"{value}"' if plain and not set(value) & set('"\\') else ascii(value)
