"""The report's templates: what ends in ``.html.jinja`` escapes every value, code is written by ``repr``."""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["code", "environment"]


@functools.cache
def environment() -> Any:
    """The Jinja environment of the report. A name that is not given is an error, not an empty text."""
    import jinja2

    # Only pages are escaped: an entity would be wrong in Python code, where the filter `code` quotes instead.
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("optguide.optimize.report"),
        autoescape=lambda name: name is None or name.endswith(".html.jinja"),  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["code"] = code
    return made


def code(value: Any) -> str:
    """A text, or a mapping of texts, as Python code in one line and in ASCII."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{code(key)}: {code(item)}" for key, item in value.items()) + "}"
    plain = isinstance(value, str) and value.isascii() and value.isprintable()
    return f'"{value}"' if plain and not set(value) & set('"\\') else ascii(value)
