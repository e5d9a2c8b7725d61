"""References that Sphinx does not resolve by itself: places on gallery pages, and names of the library."""

from __future__ import annotations

from pydoc import locate
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_PAGE = "optguide-page"  # type of a reference to a page


def page_link(
    page: str, anchor: str, text: str, *, title: str = "", classes: tuple[str, ...] = ()
) -> pending_xref:
    """A link to ``page`` and, if given, to the element ``anchor`` on it, which need not have been read yet.

    Where the page does not exist, as the gallery's when only prose is built, the text stays without link.

    :param title: describes the link for hovering and for screen readers.
    """
    content = nodes.inline("", text, classes=list(classes))
    return pending_xref("", content, reftype=_PAGE, reftarget=page, anchor=anchor, title=title)


def setup(app: Sphinx) -> None:
    """Resolve both kinds of references."""
    app.connect("missing-reference", _resolve)


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    if node["reftype"] == _PAGE:
        return _page_reference(app, env, node, content)
    if node.get("refdomain") == "py" and node["reftarget"].startswith("optguide."):
        return _documented_name(app, env, node, content)
    return None


def _page_reference(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element:
    page = node["reftarget"]
    if page not in env.found_docs:
        return content
    reference = make_refnode(
        app.builder, node["refdoc"], page, node["anchor"], content.children, node["title"]
    )
    reference["classes"] += content["classes"]
    return reference


def _documented_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """``optguide.measure`` is documented as ``optguide.bench.session.measure``, the same object."""
    domain, target = env.domains.python_domain, node["reftarget"]
    target_object = locate(target)
    last = target.rpartition(".")[2]
    for name in domain.objects if target_object is not None else ():
        # Not "is": a class method is another object each time it is looked up.
        if name.rpartition(".")[2] == last and locate(name) == target_object:
            return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], name, node, content)
    return None
