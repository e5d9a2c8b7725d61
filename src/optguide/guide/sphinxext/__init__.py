"""Sphinx extension that puts records and verdicts on pages.

======================================== =====================================================================
``{measured}`id```                        a value, linked to its evidence; ``id|interval`` adds the interval
``{results}``                             a table of values, one row per prefix and one column per quantity
``{measured-table} example:name``         a table that an example recorded
``{measured-figure} example:name``        a figure that an example recorded, for light and dark pages
``{claim} id``                            a claim with its verdict
``{ledger}``                              all claims
``{machine}``                             the machine that measured
======================================== =====================================================================

The evidence for each number is appended to the gallery page of the example that measured it. Records are read
when a page is read and noted as its dependency: fresh numbers re-read the pages that show them and no others,
and they are right in the first build, because the gallery runs before any page is read.

A page that names a result, figure or claim that does not exist fails the build, with or without ``-W``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    # Not above: ``python -m optguide.guide.sphinxext.gallery`` must find that module not yet imported.
    from optguide.guide.sphinxext import (
        claims,
        downloads,
        elements,
        evidence,
        gallery,
        links,
        machine,
        pages,
        results,
        search,
    )

    for module in (elements, pages, links, results, claims, machine, evidence, downloads, gallery, search):
        module.setup(app)
    # Browsers draw MathML themselves; Sphinx's default loads a library from another host.
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))
    return {"version": "1", "env_version": 2, "parallel_read_safe": True, "parallel_write_safe": True}


def _inline_formula(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _formula(translator: HTML5Translator, node: nodes.math_block) -> None:
    formula = tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode
