"""Results on pages: the role ``measured`` and the directives that show tables and figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxRole

from optguide import format as fmt
from optguide.errors import ClaimError, OptGuideError, OptionError
from optguide.guide.sphinxext.elements import Cell, Drawing, table
from optguide.guide.sphinxext.links import page_link
from optguide.guide.sphinxext.pages import (
    Entry,
    GuideDirective,
    absent,
    depend,
    gallery_page,
    load,
    look_up,
    moment,
    problem,
)
from optguide.machine import Machine
from optguide.records import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node, system_message
    from sphinx.application import Sphinx

    from optguide.records import Record

Mode = Literal["light", "dark"]


def setup(app: Sphinx) -> None:
    """Register the role and the directives."""
    app.add_role("measured", MeasuredRole())
    app.add_directive("results", ResultsTable)
    app.add_directive("measured-table", MeasuredTable)
    app.add_directive("measured-figure", MeasuredFigure)


class MeasuredRole(SphinxRole):
    """``{measured}`id``` or ``{measured}`id|interval```."""

    def run(self) -> tuple[list[Node], list[system_message]]:
        """Insert the value, or note the problem that fails the build."""
        identifier, _, form = (part.strip() for part in self.text.partition("|"))
        try:
            if form not in ("", "interval"):
                raise OptionError(f"{form!r} is no form of a measured value.", "Use `id` or `id|interval`.")
            entry = look_up(self.env, identifier)
        except OptGuideError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))], []
        return measured(entry, interval=form == "interval"), []


class ResultsTable(GuideDirective):
    """Measured values side by side.

    The argument is the caption; every line of the content is ``prefix | label``, and the option says which
    quantities of the prefixes to show: ``:columns: latency.p50=Latency (median), throughput=Throughput``.
    """

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Callable[[str], Any]] | None] = {
        "columns": directives.unchanged_required,
        "head": directives.unchanged,
    }

    def build(self) -> list[Node]:
        """The table."""
        columns = _pairs(self.options.get("columns", "").split(","), "=", "columns: suffix=Heading, ...")
        rows = _pairs([line for line in self.content if line.strip()], "|", "a row: prefix | label")
        body = [
            [[nodes.Text(label)], *(self._cell(f"{prefix}.{suffix}") for suffix, _ in columns)]
            for prefix, label in rows
        ]
        heads = [self.options.get("head", ""), *(heading for _, heading in columns)]
        caption = self.arguments[0] if self.arguments else ""
        return [table(heads, body, caption=caption, classes=("results",))]

    def _cell(self, identifier: str) -> Cell:
        try:
            return measured(look_up(self.env, identifier), interval=True)
        except OptGuideError as error:
            return [nodes.Text(problem(self.env, self.lineno, error))]


class MeasuredTable(GuideDirective):
    """A table that an example recorded: ``{measured-table} chapter/example:name``."""

    required_arguments = 1

    def build(self) -> list[Node]:
        """The table and the way to its evidence."""
        example, _, name = self.arguments[0].partition(":")
        record = load().by_example.get(example)
        recorded = record.tables.get(name) if record else None
        if recorded is None and (absence := absent(self.env, example)):
            return [_absence(example, absence)]
        if recorded is None:
            raise ClaimError(
                f"No example {example!r} recorded a table {name!r}.", "Look for a spelling mistake."
            )
        depend(self.env, example)
        rows = [[_recorded_cell(cell) for cell in row] for row in recorded.rows]
        source = page_link(gallery_page(example), "", "Code and evidence")
        return [
            table(recorded.columns, rows, caption=recorded.caption, classes=("results",)),
            nodes.paragraph("", "", source, classes=["provenance"]),
        ]


class MeasuredFigure(GuideDirective):
    """``{measured-figure} chapter/example:name``; light pages show one file and dark pages the other."""

    required_arguments = 1

    def build(self) -> list[Node]:
        """The figure, its caption, and where it comes from."""
        example, _, name = self.arguments[0].partition(":")
        if absence := absent(self.env, example):
            return [_absence(example, absence)]
        images = [self._image(example, name, mode) for mode in get_args(Mode)]
        depend(self.env, example)
        record = load().by_example[example]
        caption = nodes.caption("", record.figures[name].caption)
        legend = nodes.legend("", nodes.paragraph("", "", *self._provenance(record), classes=["provenance"]))
        # The theme hides captions that follow a hidden image, so the pair has a box of its own.
        pair = nodes.container("", *images)
        return [nodes.figure("", pair, caption, legend, classes=["measured-figure"])]

    def _image(self, example: str, name: str, mode: Mode) -> Drawing:
        records = load()
        path = records.figure_path(example, name, mode)
        folder = (self.env.srcdir / self.env.current_document.docname).parent
        uri = os.path.relpath(path, folder).replace(os.sep, "/")
        alt = records.by_example[example].figures[name].alt
        return Drawing.of(path, uri, alt, mode)

    def _provenance(self, record: Record) -> list[Node]:
        page = gallery_page(record.example)
        code: Node = nodes.Text("this example")
        if page != self.env.current_document.docname:
            code = page_link(page, "", f"plot_{record.example.split('/')[1]}.py")
        machine = page_link("machine", "", Machine.from_dict(record.machine).cpu)
        date = nodes.Text(f", {moment(record.finished)}.")
        return [nodes.Text("Measured by "), code, nodes.Text(" on "), machine, date]


def value_text(result: Result) -> str:
    """The value with as many digits as its interval justifies."""
    return result.text.partition(" (")[0]


def interval_text(result: Result) -> str:
    """The interval in the value's scale."""
    if result.above:
        return result.text.partition(" (")[2].removesuffix(")")
    return fmt.interval(result.low, result.high, result.unit, result.value)


def measured(entry: Entry, *, interval: bool) -> list[Node]:
    """The value as a link to its evidence, with its interval behind it if asked; or that there is none."""
    page, result = gallery_page(entry.example), entry.result
    if result is None:
        anchor = entry.id if entry.is_recorded else ""
        return [page_link(page, anchor, entry.missing, title=entry.reason, classes=("not-measured",))]
    title = f"95 % interval {interval_text(result)}, n = {result.n:,}"
    if result.low == result.high:
        title = "a fixed quantity, without scatter"
    link = page_link(page, entry.id, value_text(result), title=title, classes=("measured",))
    return [link, *(_interval_beside(result) if interval else [])]


def _absence(example: str, absence: tuple[str, str]) -> nodes.paragraph:
    """In place of a figure or table that its example has not recorded."""
    words, reason = absence
    link = page_link(gallery_page(example), "", words, title=reason, classes=("not-measured",))
    return nodes.paragraph("", "", link, classes=["provenance"])


def _recorded_cell(cell: str | Result) -> Cell:
    if isinstance(cell, str):
        return [nodes.Text(cell)]
    return [nodes.Text(value_text(cell)), *_interval_beside(cell)]


def _interval_beside(result: Result) -> list[Node]:
    """The interval behind its value, whose unit it shares; nothing for a fixed quantity."""
    if result.low == result.high:
        return []
    interval = "(" + result.text.partition(" (")[2]
    return [nodes.Text(" "), nodes.inline("", interval, classes=["interval"])]


def _pairs(parts: Sequence[str], separator: str, form: str) -> list[tuple[str, str]]:
    pairs = [tuple(piece.strip() for piece in part.partition(separator)[::2]) for part in parts]
    if not pairs or not all(all(pair) for pair in pairs):
        raise OptionError("The table of results has a line that cannot be read.", f"Write {form}.")
    return pairs  # type: ignore[return-value]  # partition()[::2] has two elements
