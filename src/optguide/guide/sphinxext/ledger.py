"""The directive ``ledger``: every claim and its verdict."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, get_args

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from optguide.claims import Outcome
from optguide.errors import OptGuideError
from optguide.guide.sphinxext.claim import badge, claims_of, css_class, judged, reasons, said
from optguide.guide.sphinxext.links import PageLink
from optguide.guide.sphinxext.notes import depend_on_all, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from optguide.claims import Verdict
    from optguide.guide.sphinxext.store import Found

    EvaluatedModel = tuple[Verdict, Sequence[Found]]

__all__ = ["Ledger"]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("ledger", Ledger)


class Ledger(SphinxDirective):
    """Counts by verdict, then all claims by chapter."""

    def run(self) -> list[Node]:
        """Build the ledger; a claim that cannot be judged fails the build."""
        depend_on_all(self.env)
        everything: list[EvaluatedModel] = []
        try:
            for claim in claims_of(self.env):
                everything.append(judged(self.env, claim))  # noqa: PERF401 - those before an error are shown
        except OptGuideError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))]
        if not everything:
            return [nodes.paragraph("", "No claims have been written down yet.")]
        chapters = groupby(everything, key=lambda pair: pair[0].claim.chapter)
        return [_counts(everything), *(_chapter(name, list(pairs)) for name, pairs in chapters)]


def _counts(everything: Iterable[EvaluatedModel]) -> nodes.bullet_list:
    counts = Counter(verdict.outcome for verdict, _ in everything)
    items = (nodes.paragraph("", "", badge(outcome, counts[outcome])) for outcome in get_args(Outcome))
    return nodes.bullet_list("", *(nodes.list_item("", item) for item in items), classes=["counts"])


def _chapter(name: str, pairs: Sequence[EvaluatedModel]) -> nodes.section:
    title = nodes.title("", name.replace("-", " ").capitalize())
    return nodes.section("", title, *(_entry(*pair) for pair in pairs), ids=[f"chapter-{name}"])


def _entry(verdict: Verdict, found: Sequence[Found]) -> nodes.container:
    claim = verdict.claim
    link = PageLink.to(claim.page, f"claim-{claim.id}", nodes.Text(claim.statement))
    return nodes.container(
        "",
        nodes.paragraph("", "", badge(verdict.outcome)),
        nodes.paragraph("", "", link, classes=["statement"]),
        reasons(verdict, found),
        said(claim),
        classes=["ledger-entry", css_class(verdict.outcome)],
        ids=[f"ledger-{claim.id}"],
    )
