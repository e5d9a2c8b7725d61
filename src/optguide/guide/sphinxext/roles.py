"""The role ``measured`` and the pieces of text around a measured value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from optguide import format as fmt
from optguide.errors import OptGuideError, OptionError
from optguide.guide.sphinxext.links import PageLink
from optguide.guide.sphinxext.notes import depend, problem
from optguide.guide.sphinxext.store import Found, find, gallery_page

if TYPE_CHECKING:
    from docutils.nodes import Node, system_message
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.records import Result

__all__ = ["interval_beside", "interval_text", "look_up", "measured", "value_text"]


def setup(app: Sphinx) -> None:
    """Register the role."""
    app.add_role("measured", Measured())


class Measured(SphinxRole):
    """``{measured}`id``` or ``{measured}`id|interval```."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Insert the value, or note the problem that fails the build."""
        identifier, _, form = (part.strip() for part in self.text.partition("|"))
        try:
            if form not in ("", "interval"):
                raise OptionError(f"{form!r} is no form of a measured value.", "Use `id` or `id|interval`.")
            found = look_up(self.env, identifier)
        except OptGuideError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))], []
        return measured(found, interval=form == "interval"), []


def look_up(env: BuildEnvironment, identifier: str) -> Found:
    """What was recorded under ``identifier``; the current page then depends on its record.

    :raises ClaimError: nobody recorded it.
    """
    found = find(identifier)
    depend(env, found.record.example)
    return found


def measured(found: Found, *, interval: bool) -> list[Node]:
    """The value as a link to its evidence, with its interval behind it if asked; or that there is none."""
    page = gallery_page(found.record.example)
    if found.result is None:
        missing = PageLink.to(
            page, found.id, nodes.Text("not measured here"), title=found.reason, classes=("not-measured",)
        )
        return [missing]
    title = f"95 % interval {interval_text(found.result)}, n = {found.result.n:,}"
    if found.result.low == found.result.high:
        title = "a fixed quantity, without scatter"
    link = PageLink.to(
        page, found.id, nodes.Text(value_text(found.result)), title=title, classes=("measured",)
    )
    if not interval or found.result.low == found.result.high:
        return [link]
    return [link, nodes.Text(" "), interval_beside(found.result)]


def value_text(result: Result) -> str:
    """The value with as many digits as its interval justifies."""
    return fmt.estimate(result).partition(" (")[0]


def interval_beside(result: Result) -> nodes.inline:
    """The interval behind its value, whose unit it shares."""
    return nodes.inline("", "(" + fmt.estimate(result).partition(" (")[2], classes=["interval"])


def interval_text(result: Result) -> str:
    """The interval in the value's scale."""
    return fmt.interval(result.low, result.high, result.unit, result.value)
