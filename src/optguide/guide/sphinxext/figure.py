"""The directive ``measured-figure``: a figure that an example recorded, with where it comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from optguide.errors import OptGuideError
from optguide.guide.sphinxext.freshness import moment
from optguide.guide.sphinxext.links import PageLink
from optguide.guide.sphinxext.notes import depend, problem
from optguide.guide.sphinxext.store import gallery_page, load
from optguide.machine import Machine

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from optguide.records import Record

__all__ = ["MeasuredFigure"]

Mode = Literal["light", "dark"]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("measured-figure", MeasuredFigure)


class MeasuredFigure(SphinxDirective):
    """``{measured-figure} chapter/example:name``; light pages show one file and dark pages the other."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Build the figure, or note the problem that fails the build."""
        example, _, name = self.arguments[0].partition(":")
        try:
            images = [self._image(example, name, mode) for mode in get_args(Mode)]
        except OptGuideError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))]
        depend(self.env, example)
        record = load().by_example[example]
        caption = nodes.caption("", record.figures[name].caption)
        legend = nodes.legend("", nodes.paragraph("", "", *self._provenance(record), classes=["provenance"]))
        # The theme hides captions that follow a hidden image, so the pair has a box of its own.
        pair = nodes.container("", *images)
        return [nodes.figure("", pair, caption, legend, classes=["measured-figure"])]

    def _image(self, example: str, name: str, mode: Mode) -> nodes.image:
        records = load()
        path = records.figure_path(example, name, mode)
        folder = (self.env.srcdir / self.env.current_document.docname).parent
        uri = os.path.relpath(path, folder).replace(os.sep, "/")
        return nodes.image(
            uri=uri, alt=records.by_example[example].figures[name].alt, classes=[f"only-{mode}"]
        )

    def _provenance(self, record: Record) -> list[Node]:
        page = gallery_page(record.example)
        where = (
            "this example"
            if page == self.env.current_document.docname
            else f"plot_{record.example.split('/')[1]}.py"
        )
        code: Node = nodes.Text(where)
        if page != self.env.current_document.docname:
            code = PageLink.to(page, "", code)
        machine = PageLink.to("machine", "", nodes.Text(Machine.from_dict(record.machine).cpu))
        return [
            nodes.Text("Measured by "),
            code,
            nodes.Text(" on "),
            machine,
            nodes.Text(f", {moment(record.finished)}."),
        ]
