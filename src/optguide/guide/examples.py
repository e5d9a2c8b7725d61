"""What the example scripts are, what each declares to record, and what it needs to have been made before.

All of that is read from the scripts' text. Nothing is imported and nothing runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import TypeGuard

from optguide.chapters import place_of_chapter, place_of_example
from optguide.errors import OptionError
from optguide.guide.environments import NAMES as ENVIRONMENTS

__all__ = ["Example", "examples", "owner", "preparing_part", "select"]


@dataclass(frozen=True)
class Example:
    """One script of the gallery.

    :param name: ``chapter/name``, as in its record.
    :param declares: identifiers and patterns of what it records; empty where it records nothing.
    :param names: every name and attribute that its code mentions.
    :param environments: the isolated environments it asks for.
    """

    name: str
    script: Path
    declares: tuple[str, ...]
    names: frozenset[str]
    environments: frozenset[str]

    @property
    def chapter(self) -> str:
        """The folder of the script."""
        return self.script.parent.name

    @property
    def makes_artifacts(self) -> bool:
        """Whether the script itself makes files that :mod:`optguide.guide.workloads.artifacts` keeps."""
        return not self.names.isdisjoint(("cached_artifact", "cross_validated"))

    @property
    def reads_records(self) -> bool:
        """Whether it goes on from what other examples of its chapter have recorded."""
        return "records" in self.names


def examples(folder: Path) -> dict[str, Example]:
    """Every example below ``folder`` (the checkout's ``examples``) by name, in reading order."""
    scripts = sorted(
        folder.glob("*/plot_*.py"),
        key=lambda path: (place_of_chapter(path.parent.name), place_of_example(_name(path).split("/")[1])),
    )
    return {_name(script): _read(script, script.stat().st_mtime_ns) for script in scripts}


def select(existing: Mapping[str, Example], names: Iterable[str]) -> list[str]:
    """The examples that ``names`` mean, chapters or ``chapter/example``, in reading order; all without one.

    :raises OptionError: a name is neither.
    """
    asked = [name.strip("/").removesuffix(".py").replace("/plot_", "/") for name in names]
    chapters = {example.chapter for example in existing.values()}
    for name in asked:
        if name not in existing and name not in chapters:
            raise OptionError(
                f"There is no chapter or example {name!r}.",
                f"Name a chapter ({', '.join(sorted(chapters, key=place_of_chapter))}) or chapter/example.",
            )
    return [name for name in existing if not asked or name in asked or name.split("/")[0] in asked]


def owner(existing: Mapping[str, Example], identifier: str) -> Example | None:
    """The example that declares to record ``identifier``; of several, the one with the longest pattern."""
    matches = [
        (len(pattern), example)
        for example in existing.values()
        for pattern in example.declares
        if fnmatchcase(identifier, pattern)
    ]
    return max(matches, key=itemgetter(0))[1] if matches else None


def preparing_part(script: Path) -> ast.Module:
    """The code of ``script`` before it begins to record: all that it trains, quantizes and converts."""
    tree = ast.parse(script.read_text("utf-8"), filename=str(script))
    statements = []
    for statement in tree.body:
        if any(_is_recording(node) for node in ast.walk(statement)):
            break
        statements.append(statement)
    return ast.Module(statements, type_ignores=[])


def _name(script: Path) -> str:
    return f"{script.parent.name}/{script.stem.removeprefix('plot_')}"


@cache
def _read(script: Path, modified: int) -> Example:
    try:
        nodes = list(ast.walk(ast.parse(script.read_text("utf-8"))))
    except SyntaxError:
        nodes = []  # it fails when it runs, and says where
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    keywords = [keyword for node in nodes if _is_recording(node) for keyword in node.keywords]
    declares = [
        text for keyword in keywords if keyword.arg == "declares" for text in _declared(keyword.value)
    ]
    # Names in texts too: a command line that an example runs says package.module:function.
    words = names | {word for text in texts for word in text.replace(":", ".").split(".")}
    return Example(
        _name(script), script, tuple(declares), frozenset(words), frozenset(texts & set(ENVIRONMENTS))
    )


def _is_recording(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and "Recording" in (
        getattr(node.func, "id", ""),
        getattr(node.func, "attr", ""),
    )


def _declared(node: ast.AST) -> Iterator[str]:
    """The patterns that an expression is made of; what an f-string inserts may be anything."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
        case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
            yield from _declared(inner)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _declared(child)
