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

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    from optguide.guide.sphinxext import (
        aliases,
        claim,
        evidence,
        figure,
        freshness,
        gallery,
        ledger,
        links,
        machine,
        mathml,
        notes,
        roles,
        tables,
    )

    modules = (
        notes,
        links,
        aliases,
        mathml,
        roles,
        tables,
        claim,
        ledger,
        figure,
        machine,
        evidence,
        gallery,
        freshness,
    )
    for module in modules:
        module.setup(app)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
