"""Links to a place on another page, made before that page has been read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["PageLink"]


class PageLink(nodes.Inline, nodes.TextElement):
    """A link to ``page`` and, if given, to the element ``anchor`` on it.

    Where the page does not exist, as the gallery's when only prose is built, the text stays without link.
    """

    @classmethod
    def to(
        cls, page: str, anchor: str, *children: nodes.Node, title: str = "", classes: tuple[str, ...] = ()
    ) -> PageLink:
        """Link ``children``; ``title`` describes the link for hovering and for screen readers."""
        return cls("", "", *children, page=page, anchor=anchor, title=title, classes=list(classes))


def setup(app: Sphinx) -> None:
    """Register the node and its resolution."""
    app.add_node(PageLink)
    app.connect("doctree-resolved", _resolve)


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for link in list(doctree.findall(PageLink)):
        link.replace_self(_resolved(app, link, docname))


def _resolved(app: Sphinx, link: PageLink, docname: str) -> nodes.Element:
    if link["page"] not in app.env.found_docs:
        plain = nodes.inline("", "", *link.children, classes=link["classes"])
        return nodes.inline("", "", plain)
    address = "" if link["page"] == docname else app.builder.get_relative_uri(docname, link["page"])
    anchor = f"#{link['anchor']}" if link["anchor"] else ""
    reference = nodes.reference(
        "", "", *link.children, refuri=address + anchor or "#", internal=True, classes=link["classes"]
    )
    if link["title"]:
        reference["reftitle"] = link["title"]
    # The theme's translator wants references inside a text element.
    return nodes.inline("", "", reference)
