"""What each page used, kept in Sphinx's environment: its examples, and what it asked for in vain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sphinx.environment.collectors import EnvironmentCollector

from optguide.guide.sphinxext.store import GuideError, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from optguide.errors import OptGuideError

__all__ = ["depend", "depend_on_all", "problem", "used_by"]


@dataclass
class _Notes:
    examples: dict[str, set[str]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    everywhere: set[str] = field(default_factory=set)
    known: frozenset[str] = frozenset()


def depend(env: BuildEnvironment, example: str) -> None:
    """Re-read the current page whenever ``example`` has been measured again."""
    env.note_dependency(str(load().path_of(example)))
    _notes(env).examples.setdefault(env.current_document.docname, set()).add(example)


def depend_on_all(env: BuildEnvironment) -> None:
    """Re-read the current page whenever any example has been measured again, also one that is new."""
    _notes(env).everywhere.add(env.current_document.docname)
    for example in load().by_example:
        depend(env, example)


def problem(env: BuildEnvironment, where: nodes.Node | int, error: OptGuideError) -> str:
    """Note that the page cannot be built; the build fails once every page has been read.

    :returns: the text to show meanwhile.
    """
    line = where if isinstance(where, int) else where.line
    docname = env.current_document.docname
    place = f"{env.doc2path(docname, base=False)}:{line or 1}"
    _notes(env).problems.setdefault(docname, []).append(f"{place}: {error}")
    return str(error)


def used_by(env: BuildEnvironment, docname: str) -> frozenset[str]:
    """The examples whose numbers ``docname`` shows."""
    return frozenset(_notes(env).examples.get(docname, ()))


def setup(app: Sphinx) -> None:
    """Register the collector and the check."""
    app.add_env_collector(_Collector)
    app.connect("env-updated", _fail)


class _Collector(EnvironmentCollector):
    """Keeps the notes right when pages change, go, or are read by several processes."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        notes = _notes(env)
        notes.examples.pop(docname, None)
        notes.problems.pop(docname, None)
        notes.everywhere.discard(docname)

    def merge_other(
        self, app: Sphinx, env: BuildEnvironment, docnames: Set[str], other: BuildEnvironment
    ) -> None:
        mine, theirs = _notes(env), _notes(other)
        for docname in docnames:
            if docname in theirs.examples:
                mine.examples[docname] = theirs.examples[docname]
            if docname in theirs.problems:
                mine.problems[docname] = theirs.problems[docname]
        mine.everywhere |= theirs.everywhere & docnames

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Roles and directives note what they use themselves."""

    def get_outdated_docs(
        self, app: Sphinx, env: BuildEnvironment, added: Set[str], changed: Set[str], removed: Set[str]
    ) -> list[str]:
        # A record that appears is no changed dependency of any page.
        notes, now = _notes(env), frozenset(load().by_example)
        before, notes.known = notes.known, now
        return sorted(notes.everywhere - removed) if now != before else []


def _notes(env: BuildEnvironment) -> _Notes:
    found = getattr(env, "optguide_notes", None)
    if found is None:
        found = _Notes()
        env.optguide_notes = found  # type: ignore[attr-defined]
    return found


def _fail(app: Sphinx, env: BuildEnvironment) -> Iterable[str]:
    problems = [text for docname in sorted(_notes(env).problems) for text in _notes(env).problems[docname]]
    if problems:
        raise GuideError("Pages ask for what is not there:\n" + "\n".join(problems))
    return []
