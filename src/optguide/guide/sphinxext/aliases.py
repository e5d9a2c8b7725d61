"""References to a name of the library by any of the modules that export it."""

from __future__ import annotations

from pydoc import locate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__: list[str] = []


def setup(app: Sphinx) -> None:
    """Look for another name where one is not documented."""
    app.connect("missing-reference", _resolve)


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """``optguide.measure`` is documented as ``optguide.bench.session.measure``, the same object."""
    target = str(node["reftarget"])
    if node.get("refdomain") != "py" or not target.startswith("optguide."):
        return None
    domain = env.domains.python_domain
    meant = locate(target)
    last = target.rpartition(".")[2]
    for name in domain.objects if meant is not None else ():
        if name.rpartition(".")[2] == last and locate(name) is meant:
            return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], name, node, content)
    return None
