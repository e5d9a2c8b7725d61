"""The directive ``claim`` and the pieces of a verdict that the ledger shows too."""

from __future__ import annotations

import difflib
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from optguide import claims
from optguide.errors import ClaimError, OptGuideError
from optguide.guide.sphinxext.links import PageLink
from optguide.guide.sphinxext.notes import problem
from optguide.guide.sphinxext.roles import look_up
from optguide.guide.sphinxext.store import gallery_page, load, measuring_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.claims import Claim, Condition, Verdict
    from optguide.guide.sphinxext.store import Found
    from optguide.records import Result

Side = Literal["above", "below", "between"]

__all__ = ["badge", "claims_of", "css_class", "judged", "reasons", "said"]

# Paths in a box of 16 units; the word beside them carries the meaning.
_MARKS = {
    "confirmed": '<path d="M2 8.5 6.2 13 14 3.5"/>',
    "refuted": '<path d="M3 3 13 13M13 3 3 13"/>',
    "inconclusive": '<path d="M5 5.5a3 3 0 1 1 4.3 2.7Q8 9 8 10.5M8 13.6v.2"/>',
    "not measurable here": '<path d="M3 8H13"/>',
}


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("claim", ClaimBox)


class ClaimBox(SphinxDirective):
    """``{claim} id``: what is claimed, the verdict, and the measurements that led to it."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Build the box, or note the problem that fails the build."""
        try:
            claim = _claim(self.env, self.arguments[0])
            verdict, found = judged(self.env, claim)
        except OptGuideError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))]
        box = nodes.container(classes=["claim", css_class(verdict.outcome)], ids=[f"claim-{claim.id}"])
        box += nodes.paragraph("", "", nodes.Text("Claim "), badge(verdict.outcome), classes=["heading"])
        box += nodes.paragraph("", claim.statement, classes=["statement"])
        box += [
            _drawn(condition, item.id, item.result)
            for condition, item in zip(claim.conditions, found, strict=True)
            if item.result and not _lacks(verdict)
        ]
        box += [reasons(verdict, found), said(claim)]
        return [box]


def claims_of(env: BuildEnvironment) -> tuple[Claim, ...]:
    """All claims; the current page then depends on their files.

    :raises ClaimError: a file does not parse.
    """
    folder = Path(env.config.optguide_claims)
    for file in folder.glob("*.toml"):
        env.note_dependency(str(file))
    return claims.load(folder)


def _claim(env: BuildEnvironment, name: str) -> Claim:
    known = {claim.id: claim for claim in claims_of(env)}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        raise ClaimError(
            f"There is no claim {name!r}.", f"Did you mean {' or '.join(close)}?" if close else ""
        )
    return known[name]


def judged(env: BuildEnvironment, claim: Claim) -> tuple[Verdict, Sequence[Found]]:
    """The verdict on ``claim`` and what was found for each of its conditions.

    :raises ClaimError: it looks at a result that nobody recorded.
    """
    found = [look_up(env, condition.result) for condition in claim.conditions]
    (verdict,) = claims.evaluate([claim], load(), measuring_machine())
    return verdict, found


def css_class(outcome: str) -> str:
    """The class that colours an outcome."""
    return outcome.replace(" ", "-")


def badge(outcome: str, count: int | None = None) -> nodes.raw:
    """The outcome as a mark and a word, with how many there are if given."""
    number = "" if count is None else f"{count} "
    mark = (
        '<svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.4" '
        f'stroke-linecap="round">{_MARKS[outcome]}</svg>'
    )
    text = f'<span class="verdict {css_class(outcome)}">{mark}{number}{outcome}</span>'
    return nodes.raw("", text, format="html")


def reasons(verdict: Verdict, found: Sequence[Found]) -> nodes.bullet_list:
    """Why the verdict is what it is, each sentence with the way to its evidence."""
    items = nodes.bullet_list(classes=["reasons"])
    for place, sentence in enumerate(verdict.reasons):
        text = nodes.paragraph("", sentence)
        if not _lacks(verdict):
            item = found[place]
            page = gallery_page(item.record.example)
            text += [
                nodes.Text(" "),
                PageLink.to(page, item.id, nodes.Text("Evidence"), title=f"Evidence for {item.id}"),
            ]
        items += nodes.list_item("", text)
    return items


def said(claim: Claim) -> nodes.paragraph:
    """Where the advice is given."""
    source = nodes.reference("", claim.source.title, refuri=claim.source.url)
    return nodes.paragraph("", "", nodes.Text("Goes back to: "), source, classes=["said"])


def _lacks(verdict: Verdict) -> bool:
    return verdict.outcome == "not measurable here"


def _drawn(condition: Condition, identifier: str, result: Result) -> nodes.raw:
    """The interval beside the bound it is held against."""
    from optguide.plots import verdict_interval_svg

    label = result.label or identifier
    side, bounds = _held_against(condition)
    drawing = verdict_interval_svg(
        result.low,
        result.high,
        result.value,
        bounds,
        label=label,
        unit=result.unit,
        holds=side,
    )
    caption = f'<div class="provenance">{escape(label)}</div>'
    return nodes.raw("", f'<div class="drawn">{caption}{drawing}</div>', format="html")


def _held_against(condition: Condition) -> tuple[Side, float | tuple[float, float]]:
    if condition.above is not None:
        return "above", condition.above
    if condition.below is not None:
        return "below", condition.below
    return "between", condition.between or (0.0, 0.0)
