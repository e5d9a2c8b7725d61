"""Elements of pages that docutils lacks: tables for phones, what unfolds, drawings that keep their place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from docutils import nodes

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

Cell = Sequence["Node"]

WIDE = 3
"""Columns from which on a table of results is wider than a phone. There its rows become lists."""


class Heading(nodes.Inline, nodes.Element):
    """The heading of a cell's column, for a style sheet to show. It is no text: a search would find it."""


class Summary(nodes.General, nodes.Element):
    """The line of a :class:`Fold` that is always shown."""


class Fold(nodes.General, nodes.Element):
    """What unfolds below a line, by itself where a reader prints or searches the page."""

    @classmethod
    def of(cls, line: Cell, content: Sequence[Node], **attributes: list[str]) -> Self:
        """``content`` below ``line``."""
        return cls("", Summary("", *line), *content, **attributes)


class Drawing(nodes.image):
    """An SVG file that is fetched when it comes into sight; its size is known before, so nothing moves."""

    @classmethod
    def of(cls, path: Path, uri: str, alt: str, mode: str) -> Self:
        """The file at ``path``, for pages of the light or the dark ``mode``."""
        box = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', path.read_bytes()[:2000])
        size = [str(round(float(side))) for side in box.groups()] if box else ["", ""]
        return cls(uri=uri, alt=alt, classes=[f"only-{mode}"], width=size[0], height=size[1])


def setup(app: Sphinx) -> None:
    """Register the nodes."""
    app.add_node(Heading, html=(_start_heading, partial(_end, "span")))
    app.add_node(Fold, html=(partial(_start, "details"), partial(_end, "details")))
    app.add_node(Summary, html=(partial(_start, "summary"), partial(_end, "summary")))
    app.add_node(Drawing, html=(_draw, None))


def _start(tag: str, translator: HTML5Translator, node: nodes.Element) -> None:
    translator.body.append(translator.starttag(node, tag, ""))


def _end(tag: str, translator: HTML5Translator, node: nodes.Element) -> None:
    translator.body.append(f"</{tag}>")


def _start_heading(translator: HTML5Translator, node: Heading) -> None:
    head = {"class": "heading", "data-head": node["head"]}
    translator.body.append(translator.starttag(node, "span", "", **head))


def _draw(translator: HTML5Translator, node: Drawing) -> None:
    file = quote(translator.builder.images[node["uri"]])
    attributes = {name: node[name] for name in ("alt", "width", "height")}
    attributes |= {"src": posixpath.join(translator.builder.imgpath, file), "loading": "lazy"}
    translator.body.append(translator.emptytag(node, "img", "\n", **attributes))
    raise nodes.SkipNode


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str, classes: tuple[str, ...]
) -> nodes.table:
    """A table whose first column heads its rows."""
    headings = [""] * len(heads)
    if "results" in classes and len(heads) >= WIDE:
        classes = (*classes, "wide")
        headings[1:] = heads[1:]
    columns = [nodes.colspec(colwidth=1) for _ in heads]
    columns[0]["stub"] = 1
    head = nodes.row("", *(_table_entry([nodes.Text(text)]) for text in heads))
    body = (nodes.row("", *map(_table_entry, row, headings)) for row in rows)
    group = nodes.tgroup("", *columns, nodes.thead("", head), nodes.tbody("", *body), cols=len(heads))
    # Sphinx gives captions of tables a permalink, for which it wants an id that its directives would assign.
    ids = [nodes.make_id(caption)] if caption else []
    title = [nodes.title("", caption)] if caption else []
    return nodes.table("", *title, group, classes=[*classes, "colwidths-auto"], ids=ids)


def _table_entry(cell: Cell, head: str = "") -> nodes.entry:
    # Blocks, such as what unfolds, stand on their own.
    if cell and isinstance(cell[0], nodes.Body):
        return nodes.entry("", *cell)
    heading = [Heading(head=head)] if head and any(node.astext().strip() for node in cell) else []
    return nodes.entry("", nodes.paragraph("", "", *heading, *cell))


def facts(rows: Iterable[tuple[str | Cell, str | Cell]]) -> nodes.definition_list:
    """Names and what is known of each, side by side where there is room."""
    items = nodes.definition_list(classes=["facts"])
    for row in rows:
        name, text = ([nodes.Text(part)] if isinstance(part, str) else part for part in row)
        fact = nodes.definition("", nodes.paragraph("", "", *text))
        items += nodes.definition_list_item("", nodes.term("", "", *name), fact)
    return items
