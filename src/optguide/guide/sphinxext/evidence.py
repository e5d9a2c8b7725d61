"""The evidence for every number, appended to the gallery page of the example that measured it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes

from optguide import format as fmt
from optguide.guide.sphinxext.pages import absent, depend, load
from optguide.guide.sphinxext.results import interval_text, table, value_text

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from optguide.guide.sphinxext.results import Cell
    from optguide.records import Record, Result

# What records keep under these keys (see optguide.records): words for readers, and how to write the value.
_WORDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "variant": ("Variant", str),
    "effective": ("Effective properties", str),
    "versions": ("Versions", str),
    "rounds": ("Rounds", str),
    "spoiled": ("Rounds left out", str),
    "warnings": ("Warnings", lambda sentences: " ".join(sentences) or "none"),
    "ended": ("Ended because", str),
    "others_share": ("CPU used by others", lambda share: fmt.quantity(share, "share")),
    "load_seconds": ("Time to load", fmt.duration),
    "seconds": ("Time to measure", fmt.duration),
    "same": ("Resolved to the same on both sides", str),
    "peak_rss": ("Peak memory", lambda size: fmt.quantity(size, "bytes")),
}


def setup(app: Sphinx) -> None:
    """Append evidence before the table of contents of a page is made, so that it is listed there."""
    app.connect("doctree-read", _append, priority=100)


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


def _evidence(record: Record) -> nodes.section:
    """A section with every result of ``record``, each the target of links to it."""
    section = nodes.section("", nodes.title("", "Evidence"), ids=["evidence"], names=["evidence"])
    section += nodes.paragraph(
        "", "Every result this example recorded: the value with its 95 % interval, and how it came about."
    )
    rows = [_row(key, result) for key, result in record.results.items()]
    rows += [_missing(key, reason) for key, reason in record.unavailable.items()]
    heads = ["Result", "Value", "How"]
    section += table(heads, rows, caption=f"Results of {record.example}", classes=("evidence",))
    return section


def _row(key: str, result: Result) -> list[Cell]:
    value: Cell = [nodes.Text(value_text(result))]
    if result.low != result.high:
        scatter = f"{interval_text(result)}, n = {result.n:,}"
        value = [*value, nodes.Text(" "), nodes.inline("", scatter, classes=["interval"])]
    return [_name(key, result.label), value, _how(result)]


def _missing(key: str, reason: str) -> list[Cell]:
    nothing = nodes.inline("", "not measured here", classes=["not-measured"])
    return [_name(key, ""), [nothing], [nodes.Text(reason)]]


def _name(key: str, label: str) -> Cell:
    # The identifier itself is the anchor: unique, stable, and readable in an address.
    identifier = nodes.literal("", key, ids=[key])
    return [nodes.Text(label), nodes.Text(" "), identifier] if label else [identifier]


def _how(result: Result) -> Cell:
    method = result.method or "counted or read, not sampled"
    if not result.evidence:
        return [nodes.Text(method)]
    entries = "".join(
        f"<dt>{escape(name)}</dt><dd>{text}</dd>" for name, text in map(_entry, result.evidence.items())
    )
    text = f"<details><summary>{escape(method)}</summary><dl>{entries}</dl></details>"
    return [nodes.raw("", text, format="html")]


def _entry(item: tuple[str, Any]) -> tuple[str, str]:
    key, value = item
    words, write = _WORDS.get(key, (key.replace("_", " ").capitalize(), str))
    if isinstance(value, Mapping) and value:
        return words, "<br>".join(
            f"{escape(str(name))}: {escape(_plain(inner))}" for name, inner in value.items()
        )
    if value == {}:
        return words, "everything"
    return words, escape(write(value)) if value is not None else "unknown"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    return "none" if value is None or value == "" else str(value)
