"""The evidence for every number, appended to the gallery page of the example that measured it.

Results that share their evidence, such as latency and throughput of one variant, share a card: what tells the
variant from the others, the results, and below a fold everything that is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from docutils import nodes
from sphinx.util.nodes import make_refnode

from optguide import format as fmt
from optguide.guide.sphinxext.elements import Cell, Fold, facts
from optguide.guide.sphinxext.pages import absent, depend, load, shown_results
from optguide.guide.sphinxext.results import interval_text, value_text

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.records import Record, Result

# What records keep under these keys (see optguide.records): words for readers, and how to write the value.
_WORDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "rounds": ("Rounds", str),
    "spoiled": ("Rounds left out", str),
    "warnings": ("Warnings", lambda sentences: " ".join(sentences) or "none"),
    "ended": ("Ended because", str),
    "others_share": ("CPU used by others", lambda share: fmt.quantity(share, "share")),
    "load_seconds": ("Time to load", fmt.duration),
    "seconds": ("Time to measure", fmt.duration),
    "same": ("Resolved to the same on both sides", lambda same: _plain(same) if same else "everything"),
    "peak_rss": ("Peak memory", lambda size: fmt.quantity(size, "bytes")),
}


class Links(nodes.Inline, nodes.Element):
    """Stands for the method of a result and the pages that show it: not all pages have been read yet."""


def setup(app: Sphinx) -> None:
    """Append evidence before the table of contents of a page is made, so that it is listed there."""
    app.add_node(Links)
    app.connect("doctree-read", _append, priority=100)
    app.connect("env-updated", _outdated)
    app.connect("doctree-resolved", _resolve)


def _append(app: Sphinx, doctree: nodes.document) -> None:
    page = app.env.current_document.docname
    section = next(iter(doctree.findall(nodes.section)), None)
    if not page.startswith("gallery/") or section is None:
        return
    example = page.removeprefix("gallery/").replace("/plot_", "/")
    if example in load().by_example:
        depend(app.env, example)
        section += _evidence(load().by_example[example])
    elif absence := absent(app.env, example):
        section += nodes.note("", nodes.paragraph("", f"{absence[1]}."))


@dataclass(frozen=True)
class _Card:
    """Results that share their evidence."""

    evidence: Mapping[str, Any]
    results: Mapping[str, Result]

    @property
    def variant(self) -> str:
        """The name of what was measured; empty for comparisons and for what was counted."""
        variant = self.evidence.get("variant", "")
        return str(variant.get("name", "")) if isinstance(variant, Mapping) else str(variant)

    @property
    def settings(self) -> dict[str, str]:
        """What was asked for and what it became, by property."""
        asked, effective = self.evidence.get("variant"), self.evidence.get("effective")
        both = {**(asked if isinstance(asked, Mapping) else {}), **(effective or {})}
        return {name: _plain(value) for name, value in both.items() if name not in ("name", "NETWORK_NAME")}


def _cards(record: Record) -> list[_Card]:
    cards: dict[bytes, dict[str, Result]] = {}
    for key, result in record.results.items():
        cards.setdefault(msgspec.json.encode(result.evidence), {})[key] = result
    return [_Card(next(iter(results.values())).evidence, results) for results in cards.values()]


def _evidence(record: Record) -> nodes.section:
    """A section with every result of ``record``, each the target of links to it."""
    section = nodes.section("", nodes.title("", "Evidence"), ids=["evidence"], names=["evidence"])
    text = "Every result this example recorded: the value with its 95 % interval, and how it came about."
    section += nodes.paragraph("", text)
    cards = _cards(record)
    settings = [card.settings for card in cards if card.settings]
    names = dict.fromkeys(name for every in settings for name in every)
    differing = [name for name in names if len({every[name] for every in settings if name in every}) > 1]
    section += [_card(card, differing, cards) for card in cards]
    if record.unavailable:
        missing = facts((_name(key, ""), reason) for key, reason in record.unavailable.items())
        section += nodes.container("", _title(nodes.Text("Not measured here")), missing, classes=["evidence"])
    return section


def _card(card: _Card, differing: Sequence[str], cards: Sequence[_Card]) -> nodes.container:
    """What tells a variant from the others, its results, and below a fold the rest."""
    settings = card.settings
    session = [(key, value) for key, value in card.evidence.items() if key not in _SHOWN]
    rest = {**dict(map(_entry, session)), **settings}
    box = nodes.container("", _title(*_heading(card, cards)), classes=["evidence"])
    if told := [name for name in differing if name in settings]:
        box += facts((name, settings[name]) for name in told)
    box += facts((_name(key, result.label), _value(key, result)) for key, result in card.results.items())
    if rest:
        box += Fold.of([nodes.Text("Session and all properties")], [facts(rest.items())])
    return box


_SHOWN = ("a", "b", "variant", "effective")
"""Keys of evidence that a card shows above its fold."""


def _heading(card: _Card, cards: Sequence[_Card]) -> Iterator[Node]:
    """The variant, or of a comparison both variants, each the way to its own card."""
    if "a" not in card.evidence:
        task = card.evidence.get("judged", {}).get("task")
        yield nodes.Text(f"Judged on {task}" if task else card.variant or "Counted or computed")
        return
    first = next(iter(card.results))
    for word, name in (("", card.evidence["b"]), (" against ", card.evidence["a"])):
        yield nodes.Text(word)
        # Several sessions may have a variant of this name: identifiers of one session share most words.
        keys = [next(iter(other.results)) for other in cards if other.variant == name]
        alike = [len({*key.split(".")} & {*first.split(".")}) for key in keys]
        near = [key for key, count in zip(keys, alike, strict=True) if count == max(alike)]
        yield nodes.reference("", name, refid=near[0]) if len(near) == 1 else nodes.Text(name)


def _title(*content: Node) -> nodes.paragraph:
    return nodes.paragraph("", "", *content, classes=["heading"])


def _name(key: str, label: str) -> Cell:
    # The identifier itself is the anchor: unique, stable, and readable in an address.
    identifier = nodes.literal("", key, ids=[key])
    return [nodes.Text(label), nodes.Text(" "), identifier] if label else [identifier]


def _value(key: str, result: Result) -> list[Node]:
    value: list[Node] = [nodes.strong("", value_text(result))]
    if result.low != result.high:
        value += [nodes.Text(f" ({interval_text(result)}), n = {result.n:,}")]
    return [*value, Links(key=key, method=result.method)]


def _resolve(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link the words of methods to the glossary, and results to the pages that show them."""
    places = list(doctree.findall(Links))
    if not places:
        return
    shown, link = shown_results(app.env), partial(make_refnode, app.builder, page)
    terms = {
        name.lower(): place
        for (kind, name), place in app.env.domains.standard_domain.objects.items()
        if kind == "term"
    }
    words = re.compile(rf"\b({'|'.join(map(re.escape, sorted(terms, key=len, reverse=True)))})(?=s?\b)", re.I)
    for place in places:
        method: list[Node] = []
        for part in words.split(f" {place['method']}") if terms else [f" {place['method']}"]:
            term = terms.get(part.lower())
            method.append(link(*term, nodes.Text(part)) if term else nodes.Text(part))
        users = [user for user in sorted(shown) if place["key"] in shown[user] and user != "claims"]
        pages = [link(user, "", nodes.Text(app.env.titles[user].astext())) for user in users]
        used = [part for page_ in pages for part in (nodes.Text(", "), page_)]
        used[:1] = [nodes.Text(" Used on ")] if pages else []
        place.replace_self([nodes.inline("", "", *method, classes=["muted"]), *used])


def _outdated(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Pages of evidence are written anew where other pages show other results than in the last build."""
    shown = shown_results(env)
    before = getattr(env, "optguide_shown", shown)
    env.optguide_shown = shown  # type: ignore[attr-defined]  # what an environment keeps is pickled with it
    return [page for page in env.found_docs if before != shown and page.startswith("gallery/")]


def _entry(item: tuple[str, Any]) -> tuple[str, str]:
    key, value = item
    words, write = _WORDS.get(key, (key.replace("_", " ").capitalize(), _plain))
    return words, "unknown" if value is None else write(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    return "none" if value is None or value == "" else str(value)
