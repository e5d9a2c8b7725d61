"""How old the numbers of a page are, said on every page, and a warning when they do not belong together."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from optguide import format as fmt
from optguide.guide.sphinxext.notes import used_by
from optguide.guide.sphinxext.store import load
from optguide.machine import Machine

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["moment"]


def setup(app: Sphinx) -> None:
    """Fill the context of the template ``measured-when.html``."""
    app.connect("html-page-context", _describe)


def moment(iso: str) -> str:
    """A recorded time for readers."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    records = load()
    used = used_by(app.env, page) & records.by_example.keys() or records.by_example.keys()
    if not used:
        return
    # The oldest number decides: a page is as old as its oldest part.
    oldest = min((records.by_example[name] for name in used), key=lambda record: record.finished)
    machine = Machine.from_dict(oldest.machine)
    passed = datetime.now(UTC) - datetime.fromisoformat(oldest.finished)
    context["measured"] = {
        "finished": oldest.finished,
        "when": moment(oldest.finished),
        "age": fmt.age(passed.total_seconds()),
        "profile": oldest.profile,
        "machine": f"{machine.cpu}, {machine.available_cores:g} cores",
    }
    if (sentences := records.mixed()) and "body" in context:
        context["body"] = _warning(sentences) + context["body"]


def _warning(sentences: list[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    count = f"{len(sentences)} difference{'s' if len(sentences) > 1 else ''}"
    return (
        '<div class="admonition warning mixed-numbers">'
        '<p class="admonition-title">These numbers do not belong together</p>'
        "<p>Compare them with care, or measure again with <code>nox -s docs</code>.</p>"
        f"<details><summary>{count}</summary><ul>{items}</ul></details></div>"
    )
