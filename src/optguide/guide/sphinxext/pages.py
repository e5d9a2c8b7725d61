"""What pages show of the records, what each page depends on, and how old its numbers are.

What a page used is kept in Sphinx's metadata of that page. Sphinx clears it when the page changes, and merges
it when several processes read pages.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from optguide import format as fmt
from optguide import records
from optguide.errors import ClaimError, OptGuideError
from optguide.guide.build import load_state
from optguide.guide.examples import Example, examples, owner
from optguide.machine import Machine
from optguide.paths import records_dir, repository

if TYPE_CHECKING:
    from collections.abc import Set
    from pathlib import Path

    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.records import Record, Records, Result

# Keys of a page's metadata.
_EXAMPLES = "optguide_examples"  # whose numbers the page shows
_RESULTS = "optguide_results"  # identifiers of the results that the page shows one by one
_ALL_EXAMPLES = "optguide_all_examples"  # those that existed when a page that depends on all was read
_PROBLEMS = "optguide_problems"

FEW = 3
"""Examples up to which a page is about them, so that its files hold all that these recorded."""


class GuideError(SystemExit):
    """The guide cannot be built, for the reason in the message.

    Any other exception would make Sphinx print a report about a broken extension around that sentence.
    """


class GuideDirective(SphinxDirective):
    """A directive that shows records; an error fails the build once every page has been read."""

    def run(self) -> list[Node]:
        """Build the nodes, or note the problem."""
        try:
            return self.build()
        except OptGuideError as error:
            return [nodes.problematic("", problem(self.env, self.lineno, error))]

    def build(self) -> list[Node]:
        """The nodes of the directive.

        :raises OptGuideError: the page asks for something that does not exist.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Entry:
    """What is recorded under one identifier.

    :param id: the identifier, which is also its anchor; where there is no result, the pattern that covers it.
    :param example: the example that records it.
    :param result: the result; ``None`` where there is none.
    :param missing: words to show in place of a result.
    :param reason: why there is none; empty where there is one.
    :param is_recorded: whether the example has run in this build.
    """

    id: str
    example: str
    result: Result | None
    missing: str = "not measured here"
    reason: str = ""
    is_recorded: bool = True


def load() -> Records:
    """All records, those of other builds and machines included: pages say so themselves.

    They are read once before and once after the examples have run: no page is read meanwhile.

    :raises RecordsError: a file that is corrupt or of another schema.
    """
    return _load(records_dir())


@functools.cache
def _load(_folder: Path) -> Records:
    return records.load(allow_mixed=True)


def look_up(env: BuildEnvironment, identifier: str) -> Entry:
    """What was recorded under ``identifier``; the current page then depends on its record.

    :raises ClaimError: nobody recorded it, and no example that has yet to run in this build declares to.
    """
    try:
        record = load().record_of(identifier)
    except ClaimError:
        example = owner(_examples(), identifier)
        absence = absent(env, example.name) if example else None
        if example is None or absence is None:
            raise
        return Entry(identifier, example.name, None, *absence, is_recorded=False)
    depend(env, record.example)
    _metadata(env).setdefault(_RESULTS, set()).add(identifier)
    gap = record.gap(identifier)
    reason = record.unavailable[gap].rstrip(".") if gap else ""
    return Entry(gap or identifier, record.example, record.results.get(identifier), reason=reason)


def absent(env: BuildEnvironment, example: str) -> tuple[str, str] | None:
    """Why this build has nothing of ``example``, in words to show and as a sentence.

    ``None`` where it has, where there is no such example, and outside of a build. The current page is read
    again in every build until there is a record.
    """
    state, scripts = load_state(), _examples()
    if state is None or example in load().by_example or example not in scripts:
        return None
    if not scripts[example].declares:
        return None
    depend(env, example)
    if example in state.failed:
        return "not measured", f"{example} failed: {state.failed[example].rstrip('.')}"
    return "being measured", f"{example} has not been measured in this build yet"


@functools.cache
def _examples() -> dict[str, Example]:
    root = repository()
    return examples(root / "examples") if root else {}


def gallery_page(example: str) -> str:
    """The page with the code and the evidence of ``example``."""
    chapter, name = example.split("/")
    return f"gallery/{chapter}/plot_{name}"


def measuring_machine() -> Machine:
    """The machine that measured last; this one where it has yet to begin."""
    measured = load().by_example.values()
    if not measured:
        return Machine.current()
    return Machine.from_dict(max(measured, key=lambda record: record.finished).machine)


def depend(env: BuildEnvironment, example: str) -> None:
    """Re-read the current page whenever ``example`` has been measured again."""
    env.note_dependency(str(load().path_of(example)))
    _metadata(env).setdefault(_EXAMPLES, set()).add(example)


def depend_on_all(env: BuildEnvironment) -> None:
    """Re-read the current page whenever any example has been measured again, also one that is new."""
    _metadata(env)[_ALL_EXAMPLES] = set(load().by_example)
    for example in load().by_example:
        depend(env, example)


def shown_results(env: BuildEnvironment) -> dict[str, frozenset[str]]:
    """Page to the identifiers of the results that it shows one by one, claims included."""
    return {page: frozenset(metadata.get(_RESULTS, ())) for page, metadata in env.metadata.items()}


def shown_examples(env: BuildEnvironment, page: str) -> frozenset[str]:
    """The examples whose results, figures or tables ``page`` shows."""
    return frozenset(env.metadata.get(page, {}).get(_EXAMPLES, ())) & load().by_example.keys()


def to_download(env: BuildEnvironment, page: str) -> list[Record]:
    """The records in the files beside ``page``, of many examples the results that it shows one by one.

    Empty where it shows no result, such as on the page about the machine.
    """
    names = sorted(shown_examples(env, page))
    examples = [load().by_example[name] for name in names]
    if len(examples) > FEW:
        shown = shown_results(env)[page]
        examples = [
            replace(record, results={key: value for key, value in record.results.items() if key in shown})
            for record in examples
        ]
    return examples if any(record.results for record in examples) else []


def problem(env: BuildEnvironment, line: int | None, error: OptGuideError) -> str:
    """Note that the page cannot be built; the build fails once every page has been read.

    :returns: the text to show meanwhile.
    """
    place = f"{env.doc2path(env.current_document.docname, base=False)}:{line or 1}"
    _metadata(env).setdefault(_PROBLEMS, []).append(f"{place}: {error}")
    return str(error)


def moment(iso: str) -> str:
    """A recorded time for readers."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def setup(app: Sphinx) -> None:
    """Watch for new records, fail on problems, and fill the context of ``measured-when.html``."""
    app.connect("env-get-outdated", _outdated)
    app.connect("env-updated", _fail)
    app.connect("html-page-context", _describe)


def _metadata(env: BuildEnvironment) -> dict[str, Any]:
    return env.metadata[env.current_document.docname]


def _outdated(
    app: Sphinx, env: BuildEnvironment, added: Set[str], changed: Set[str], removed: Set[str]
) -> list[str]:
    _load.cache_clear()
    # A record that appears is no changed dependency of any page.
    existing = set(load().by_example)
    return [
        page
        for page, metadata in env.metadata.items()
        if page not in removed and metadata.get(_ALL_EXAMPLES, existing) != existing
    ]


def _fail(app: Sphinx, env: BuildEnvironment) -> list[str]:
    problems = [text for page in sorted(env.metadata) for text in env.metadata[page].get(_PROBLEMS, ())]
    if problems:
        raise GuideError("Pages ask for what is not there:\n" + "\n".join(problems))
    return []


def _describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    loaded = load()
    state = load_state()
    if state is not None and not (state.is_measured or state.is_complete) and "body" in context:
        context["body"] = _unfinished(state.started) + context["body"]
    examples = shown_examples(app.env, page) or loaded.by_example.keys()
    if not examples:
        return
    # The oldest number decides: a page is as old as its oldest part.
    oldest = min((loaded.by_example[name] for name in examples), key=lambda record: record.finished)
    machine = Machine.from_dict(oldest.machine)
    age = datetime.now(UTC) - datetime.fromisoformat(oldest.finished)
    context["measured"] = {
        "finished": oldest.finished,
        "when": moment(oldest.finished),
        "age": fmt.age(age.total_seconds()),
        "profile": oldest.profile,
        "machine": f"{machine.cpu}, {machine.available_cores:g} cores",
        "openvino": machine.packages.get("openvino", "unknown"),
        "downloads": bool(to_download(app.env, page)),
    }
    if (sentences := loaded.mixed()) and "body" in context:
        context["body"] = _warning(sentences) + context["body"]


def _unfinished(started: str) -> str:
    return (
        '<div class="admonition note unfinished"><p class="admonition-title">This guide is being measured</p>'
        f"<p>Its build began at {moment(started)}. Numbers appear chapter by chapter. If it has been "
        "stopped, <code>nox -s docs -- --resume</code> goes on.</p></div>"
    )


def _warning(sentences: list[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    count = f"{len(sentences)} difference{'s' if len(sentences) > 1 else ''}"
    return (
        '<div class="admonition warning mixed-numbers">'
        '<p class="admonition-title">These numbers do not belong together</p>'
        "<p>Compare them with care, or measure again with <code>nox -s docs</code>.</p>"
        f"<details><summary>{count}</summary><ul>{items}</ul></details></div>"
    )
