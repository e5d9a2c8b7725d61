"""The directives ``claim``, one claim with its verdict, and ``ledger``, all of them."""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

from optguide import claims
from optguide import format as fmt
from optguide.claims import BUILD_OUTCOMES, Chance, Claim, ClaimOutcome, Condition, Verdict
from optguide.errors import ClaimError
from optguide.guide.sphinxext.links import page_link
from optguide.guide.sphinxext.pages import (
    Entry,
    GuideDirective,
    depend_on_all,
    gallery_page,
    load,
    look_up,
    measuring_machine,
)
from optguide.plots import verdict_interval_svg

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.records import Result

# Paths in a box of 16 units; the word beside them carries the meaning.
_MARKS = {
    "confirmed": '<path d="M2 8.5 6.2 13 14 3.5"/>',
    "refuted": '<path d="M3 3 13 13M13 3 3 13"/>',
    "inconclusive": '<path d="M5 5.5a3 3 0 1 1 4.3 2.7Q8 9 8 10.5M8 13.6v.2"/>',
    "not measurable here": '<path d="M3 8H13"/>',
    "not recorded": '<path d="M3 8h.2M8 8h.2M13 8h.2"/>',
}


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_config_value("optguide_claims", str(Path(app.confdir) / "claims"), "env", types=[str])
    app.add_directive("claim", ClaimBox)
    app.add_directive("ledger", Ledger)


class ClaimBox(GuideDirective):
    """``{claim} id``: what is claimed, the verdict, and the measurements that led to it."""

    required_arguments = 1

    def build(self) -> list[Node]:
        """The box."""
        claim = _claim(self.env, self.arguments[0])
        evaluated = _evaluate(self.env, claim)
        outcome = evaluated.verdict.outcome
        box = nodes.container(classes=["claim", _css_class(outcome)], ids=[f"claim-{claim.id}"])
        box += nodes.paragraph("", "", nodes.Text("Claim "), _badge(outcome), classes=["heading"])
        box += nodes.paragraph("", claim.statement, classes=["statement"])
        if evaluated.measured:
            box += [
                _drawing(condition, entry.id, entry.result)
                for condition, entry in zip(claim.conditions, evaluated.entries, strict=True)
                if entry.result and not claims.is_read_back(entry.result)
            ]
        box += [_reasons(evaluated), _source(evaluated.verdict)]
        return [box]


class Ledger(GuideDirective):
    """Counts by verdict, then all claims by chapter."""

    def build(self) -> list[Node]:
        """The list of counts and a section for each chapter."""
        depend_on_all(self.env)
        evaluated = [_evaluate(self.env, claim) for claim in _claims(self.env)]
        if not evaluated:
            return [nodes.paragraph("", "No claims have been written down yet.")]
        chapters = groupby(evaluated, key=lambda item: item.verdict.chapter)
        chance = nodes.paragraph("", Chance.of(item.verdict for item in evaluated).text)
        return [_counts(evaluated), chance, *(_chapter(name, list(items)) for name, items in chapters)]


@dataclass(frozen=True)
class _Evaluated:
    """A verdict, and what is recorded for each condition of its claim."""

    verdict: Verdict
    entries: Sequence[Entry]

    @property
    def measured(self) -> bool:
        return self.verdict.outcome not in ("not measurable here", "not recorded")


def _claims(env: BuildEnvironment) -> tuple[Claim, ...]:
    """All claims; the current page then depends on their files."""
    folder = Path(env.config.optguide_claims)
    for file in folder.glob("*.toml"):
        env.note_dependency(str(file))
    return _load(folder)


_load = functools.lru_cache(maxsize=1)(claims.load)
"""Files of claims do not change while Sphinx reads pages."""


def _claim(env: BuildEnvironment, identifier: str) -> Claim:
    by_id = {claim.id: claim for claim in _claims(env)}
    if identifier not in by_id:
        close = difflib.get_close_matches(identifier, by_id, n=3)
        raise ClaimError(
            f"There is no claim {identifier!r}.", f"Did you mean {' or '.join(close)}?" if close else ""
        )
    return by_id[identifier]


def _evaluate(env: BuildEnvironment, claim: Claim) -> _Evaluated:
    entries = [look_up(env, condition.result) for condition in claim.conditions]
    if absent := dict.fromkeys(f"{entry.reason}." for entry in entries if not entry.is_recorded):
        return _Evaluated(Verdict.on(claim, "not recorded", absent), entries)
    (verdict,) = claims.evaluate([claim], load(), measuring_machine())
    return _Evaluated(verdict, entries)


def _css_class(outcome: str) -> str:
    return outcome.replace(" ", "-")


def _badge(outcome: str, count: int | None = None) -> nodes.raw:
    """The outcome as a mark and a word, with how many there are if given."""
    number = "" if count is None else f"{count} "
    mark = (
        '<svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.4" '
        f'stroke-linecap="round">{_MARKS[outcome]}</svg>'
    )
    text = f'<span class="verdict {_css_class(outcome)}">{mark}{number}{outcome}</span>'
    return nodes.raw("", text, format="html")


def _reasons(evaluated: _Evaluated) -> nodes.bullet_list:
    """Why the verdict is what it is, each sentence with the way to its evidence."""
    items = nodes.bullet_list(classes=["reasons"])
    for index, sentence in enumerate(evaluated.verdict.reasons):
        text = nodes.paragraph("", sentence)
        if evaluated.measured:
            entry = evaluated.entries[index]
            page = gallery_page(entry.example)
            text += nodes.Text(" ")
            text += page_link(page, entry.id, "Evidence", title=f"Evidence for {entry.id}")
        items += nodes.list_item("", text)
    return items


def _source(verdict: Verdict) -> nodes.paragraph:
    """Where the advice is given."""
    source = nodes.reference("", verdict.source.title, refuri=verdict.source.url)
    return nodes.paragraph("", "", nodes.Text("Goes back to: "), source, classes=["said"])


def _drawing(condition: Condition, identifier: str, result: Result) -> nodes.raw:
    """The interval beside the bound it is compared with."""
    label = result.label or identifier
    drawing = verdict_interval_svg(
        result.low,
        result.high,
        result.value,
        condition.edges,
        label=label,
        unit=result.unit,
        holds=condition.side,
        words=result.text,
    )
    ways = f" (left {fmt.OPPOSITES[result.above]}, right {result.above})" if result.above else ""
    caption = f'<div class="provenance">{escape(label + ways)}</div>'
    return nodes.raw("", f'<div class="drawn">{caption}{drawing}</div>', format="html")


def _counts(evaluated: Sequence[_Evaluated]) -> nodes.bullet_list:
    counts = Counter(item.verdict.outcome for item in evaluated)
    outcomes: list[ClaimOutcome] = [*BUILD_OUTCOMES]
    if counts["not recorded"]:
        outcomes.append("not recorded")
    items = (nodes.paragraph("", "", _badge(outcome, counts[outcome])) for outcome in outcomes)
    return nodes.bullet_list("", *(nodes.list_item("", item) for item in items), classes=["counts"])


def _chapter(name: str, evaluated: Sequence[_Evaluated]) -> nodes.section:
    title = nodes.title("", name.replace("-", " ").capitalize())
    return nodes.section("", title, *map(_ledger_entry, evaluated), ids=[f"chapter-{name}"])


def _ledger_entry(evaluated: _Evaluated) -> nodes.container:
    verdict = evaluated.verdict
    link = page_link(verdict.page, f"claim-{verdict.id}", verdict.statement)
    return nodes.container(
        "",
        nodes.paragraph("", "", _badge(verdict.outcome)),
        nodes.paragraph("", "", link, classes=["statement"]),
        _reasons(evaluated),
        _source(verdict),
        classes=["ledger-entry", _css_class(verdict.outcome)],
        ids=[f"ledger-{verdict.id}"],
    )
