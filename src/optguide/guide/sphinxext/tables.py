"""The directives ``results`` and ``measured-table``, and the accessible table both make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from optguide.errors import ClaimError, OptGuideError, OptionError
from optguide.guide.sphinxext.links import PageLink
from optguide.guide.sphinxext.notes import depend, problem
from optguide.guide.sphinxext.roles import interval_beside, look_up, measured, value_text
from optguide.guide.sphinxext.store import gallery_page, load
from optguide.records import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

__all__ = ["Cell", "table"]

Cell = Sequence["Node"]

WIDE = 3
"""Columns from which on a table of results is wider than a phone. There its rows become lists."""


class Heading(nodes.Inline, nodes.Element):
    """The heading of a cell's column, for a style sheet to show. It is no text: a search would find it."""


def setup(app: Sphinx) -> None:
    """Register the node and the directives."""
    app.add_node(Heading, html=(_show, _shown))
    app.add_directive("results", Results)
    app.add_directive("measured-table", MeasuredTable)


class Results(SphinxDirective):
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

    def run(self) -> list[Node]:
        """Build the table."""
        try:
            columns = _pairs(self.options.get("columns", "").split(","), "=", "columns: suffix=Heading, ...")
            rows = _pairs([line for line in self.content if line.strip()], "|", "a row: prefix | label")
        except OptionError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))]
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


class MeasuredTable(SphinxDirective):
    """A table that an example recorded: ``{measured-table} chapter/example:name``."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Build the table."""
        example, _, name = self.arguments[0].partition(":")
        record = load().by_example.get(example)
        found = record.tables.get(name) if record else None
        if found is None:
            error = ClaimError(
                f"No example {example!r} recorded a table {name!r}.", "Look for a spelling mistake."
            )
            return [nodes.problematic("", problem(self.env, self.lineno, error))]
        depend(self.env, example)
        rows = [[_recorded(cell) for cell in row] for row in found.rows]
        where = PageLink.to(gallery_page(example), "", nodes.Text("Code and evidence"))
        note = nodes.paragraph("", "", where, classes=["provenance"])
        return [table(found.columns, rows, caption=found.caption, classes=("results",)), note]


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str, classes: tuple[str, ...]
) -> nodes.table:
    """A table whose first column heads its rows."""
    shown = [""] * len(heads)
    if "results" in classes and len(heads) >= WIDE:
        classes = (*classes, "wide")
        shown[1:] = heads[1:]
    group = nodes.tgroup(cols=len(heads))
    columns = [nodes.colspec(colwidth=1) for _ in heads]
    columns[0]["stub"] = 1
    group += columns
    head = nodes.row("", *(_entry([nodes.Text(text)]) for text in heads))
    group += nodes.thead("", head)
    group += nodes.tbody("", *(nodes.row("", *map(_entry, row, shown)) for row in rows))
    # Sphinx gives captions of tables a permalink, for which it wants an id that its directives would assign.
    made = nodes.table(
        "", classes=[*classes, "colwidths-auto"], ids=[nodes.make_id(caption)] if caption else []
    )
    if caption:
        made += nodes.title("", caption)
    made += group
    return made


def _show(translator: HTML5Translator, node: Heading) -> None:
    translator.body.append(
        translator.starttag(node, "span", "", CLASS="heading", **{"data-head": node["head"]})
    )


def _shown(translator: HTML5Translator, node: Heading) -> None:
    translator.body.append("</span>")


def _entry(cell: Cell, shown: str = "") -> nodes.entry:
    # Blocks, such as the raw HTML of collapsed evidence, stand on their own.
    if cell and isinstance(cell[0], nodes.Body):
        return nodes.entry("", *cell)
    heading = [Heading(head=shown)] if shown and any(node.astext().strip() for node in cell) else []
    return nodes.entry("", nodes.paragraph("", "", *heading, *cell))


def _recorded(cell: str | Result) -> Cell:
    if isinstance(cell, str):
        return [nodes.Text(cell)]
    value = nodes.Text(value_text(cell))
    if cell.low == cell.high:
        return [value]
    return [value, nodes.Text(" "), interval_beside(cell)]


def _pairs(parts: Sequence[str], separator: str, form: str) -> list[tuple[str, str]]:
    pairs = [tuple(piece.strip() for piece in part.partition(separator)[::2]) for part in parts]
    if not pairs or not all(all(pair) for pair in pairs):
        raise OptionError("The table of results has a line that cannot be read.", f"Write {form}.")
    return pairs  # type: ignore[return-value]  # partition()[::2] has two elements
