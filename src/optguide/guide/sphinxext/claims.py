"""The directives ``claim``, one claim with its verdict, and ``ledger``, a table of all of them."""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

from optguide import claims
from optguide.claims import BUILD_OUTCOMES, Chance, Claim, ClaimOutcome, Verdict
from optguide.errors import ClaimError
from optguide.guide.sphinxext.elements import Fold, table
from optguide.guide.sphinxext.links import page_link
from optguide.guide.sphinxext.pages import (
    Entry,
    GuideDirective,
    depend_on_all,
    load,
    look_up,
    measuring_machine,
)
from optguide.guide.sphinxext.results import measured

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.guide.sphinxext.elements import Cell


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_config_value("optguide_claims", str(Path(app.confdir) / "claims"), "env", types=[str])
    app.add_directive("claim", ClaimBox)
    app.add_directive("ledger", Ledger)


class ClaimBox(GuideDirective):
    """``{claim} id``: a line with verdict, sentence and numbers, which unfolds to what led to it."""

    required_arguments = 1

    def build(self) -> list[Node]:
        """The line and what it unfolds to."""
        claim = _claim(self.env, self.arguments[0])
        evaluated = _evaluate(self.env, claim)
        outcome = evaluated.verdict.outcome
        line: Cell = [_badge(outcome), nodes.inline("", claim.statement, classes=["statement"])]
        classes, ids = ["claim", _css_class(outcome)], [f"claim-{claim.id}"]
        # A line that unfolds may hold no links: those to the evidence stand below it.
        numbers = [nodes.inline("", part.astext(), classes=["numbers"]) for part in _numbers(evaluated)]
        evidence = nodes.paragraph("", "", nodes.Text("Evidence: "), *_numbers(evaluated), classes=["said"])
        below = [*_why(evaluated), *([evidence] if numbers else [])]
        return [Fold.of([*line, *numbers], below, classes=classes, ids=ids)]


class Ledger(GuideDirective):
    """Counts by verdict, and a table of all claims, which ``optguide.js`` filters and sorts."""

    def build(self) -> list[Node]:
        """The counts, what chance may have done to the verdicts, and the table."""
        depend_on_all(self.env)
        evaluated = [_evaluate(self.env, claim) for claim in _claims(self.env)]
        if not evaluated:
            return [nodes.paragraph("", "No claims have been written down yet.")]
        chance = nodes.paragraph("", Chance.of(item.verdict for item in evaluated).text)
        heads = ("Claim", "Verdict", "Measured", "Chapter", "Device")
        ledger = table(heads, list(map(_cells, evaluated)), caption="", classes=("ledger",))
        for row, item in zip([*ledger.findall(nodes.row)][1:], evaluated, strict=True):
            row["ids"], row["classes"] = [f"ledger-{item.claim.id}"], [_css_class(item.verdict.outcome)]
        return [_counts(evaluated), ledger, chance]


@dataclass(frozen=True)
class _Evaluated:
    """A verdict, and what is recorded for each condition of its claim."""

    claim: Claim
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
        return _Evaluated(claim, Verdict.on(claim, "not recorded", absent), entries)
    (verdict,) = claims.evaluate([claim], load(), measuring_machine())
    return _Evaluated(claim, verdict, entries)


def _css_class(outcome: str) -> str:
    return outcome.replace(" ", "-")


def _badge(outcome: str, count: int | None = None) -> nodes.inline:
    """The outcome, with how many there are if given; the style sheet adds mark and colour."""
    words = outcome if count is None else f"{count} {outcome}"
    return nodes.inline("", words, classes=["verdict", _css_class(outcome)])


def _numbers(evaluated: _Evaluated) -> list[Node]:
    """What was measured, shortly, each number the way to its evidence."""
    if not evaluated.measured:
        return []
    values = [measured(entry, interval=False) for entry in evaluated.entries]
    parts = [part for value in values for part in (nodes.Text("; "), *value)]
    return [nodes.inline("", "", *parts[1:], classes=["numbers"])]


def _why(evaluated: _Evaluated) -> list[Node]:
    """Why the verdict is what it is, one sentence for each condition, and where the advice is given."""
    verdict = evaluated.verdict
    items = (nodes.list_item("", nodes.paragraph("", sentence)) for sentence in verdict.reasons)
    source = nodes.reference("", verdict.source.title, refuri=verdict.source.url)
    said = nodes.paragraph("", "", nodes.Text("Goes back to: "), source, classes=["said"])
    return [nodes.bullet_list("", *items, classes=["reasons"]), said]


def _counts(evaluated: Sequence[_Evaluated]) -> nodes.bullet_list:
    counts = Counter(item.verdict.outcome for item in evaluated)
    outcomes: list[ClaimOutcome] = [*BUILD_OUTCOMES]
    if counts["not recorded"]:
        outcomes.append("not recorded")
    items = (nodes.paragraph("", "", _badge(outcome, counts[outcome])) for outcome in outcomes)
    return nodes.bullet_list("", *(nodes.list_item("", item) for item in items), classes=["counts"])


def _cells(evaluated: _Evaluated) -> list[Cell]:
    """The row of a claim in the ledger."""
    claim = evaluated.claim
    address = nodes.reference("", "#", refid=f"ledger-{claim.id}", classes=["headerlink"])
    address["reftitle"] = "Link to this claim"
    statement = page_link(claim.page, f"claim-{claim.id}", claim.statement)
    texts = (claim.chapter.replace("-", " ").capitalize(), _devices(claim))
    return [
        [nodes.paragraph("", "", statement, address), Fold.of([nodes.Text("Why")], _why(evaluated))],
        [_badge(evaluated.verdict.outcome)],
        _numbers(evaluated),
        *([nodes.Text(text)] for text in texts),
    ]


def _devices(claim: Claim) -> str:
    devices = [need.removeprefix("device:") for need in claim.needs if need.startswith("device:")]
    return ", ".join(devices) or "CPU"
