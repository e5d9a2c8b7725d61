"""Everything in Python code that decides what a function computes, as text.

A function is more than its own lines: it calls others of its script, reads constants and uses modules of the
guide. All of that is followed. What is left out is what changes no result: comments, docstrings, the rest of
the script, and installed packages, whose versions are the caller's business.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import linecache
import symtable
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import FunctionType, ModuleType

from optguide.errors import OptionError
from optguide.paths import impersonal

__all__ = ["Fingerprint", "fingerprint"]

_GUIDE = "optguide"

_WORKLOADS = "optguide.guide.workloads"
"""Imports between modules of this package are followed: a workload may consist of several."""

_NO_INFLUENCE = {f"{_WORKLOADS}.artifacts", f"{_WORKLOADS}.fingerprint", "optguide.quiet"}
"""They say where files are kept and what is printed, never what is in the files."""

_MISSING = object()

_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Fingerprint:
    """What a function depends on.

    :param definitions: functions and classes of its script by name, as code without comments and docstrings.
    :param constants: what it reads of the script's other names, as text.
    :param modules: the guide's modules by name, with their files.
    """

    definitions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Path] = field(default_factory=dict)


def fingerprint(function: Callable[..., object]) -> Fingerprint:
    """What ``function`` depends on.

    The same for a script that runs by itself and one that sphinx-gallery runs block by block.

    :raises OptionError: it is no function written with ``def`` in a file, or it reads something of its script
        whose value cannot be told, such as an array or a model.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise OptionError(
            f"{function!r} is no function written with def.", "Write def train(folder): ... and pass train."
        )
    found = Fingerprint()
    _Follower(function, found).definition(function)
    return found


class _Follower:
    """Walks from the function through everything it refers to."""

    def __init__(self, function: FunctionType, found: Fingerprint) -> None:
        self._name = function.__name__
        self._home = function.__module__
        self._file = function.__code__.co_filename
        self._globals = function.__globals__
        self._found = found

    def definition(self, thing: FunctionType | type) -> None:
        """A function or class of the script, with what it refers to."""
        if thing.__qualname__ in self._found.definitions:
            return
        node = self._source(thing)
        self._found.definitions[thing.__qualname__] = ast.unparse(_without_docstrings(node))
        scope = self._scope(thing)
        for name in sorted(_outer_names(node)):
            value = scope.get(name, _MISSING)
            if value is not _MISSING:  # a built-in, or a name that fails when the function runs
                self._value(name, value, node)
        for module, names in _imports(node):
            self._imported(module, names)

    def _source(self, thing: FunctionType | type) -> ast.Module:
        try:
            if isinstance(thing, FunctionType):
                return ast.parse(textwrap.dedent(inspect.getsource(thing)))
            # Where a class was written Python asks its module, and sphinx-gallery's has no file.
            found: list[ast.stmt] = ast.parse("".join(linecache.getlines(self._file))).body
        except (OSError, SyntaxError) as error:
            raise _unreadable(thing) from error
        for part in thing.__qualname__.split("."):
            if part != "<locals>":
                inner = (node for outer in found for node in ast.walk(outer))
                found = [node for node in inner if isinstance(node, _NAMED) and node.name == part]
        if not found:
            raise _unreadable(thing)
        return ast.Module(found, type_ignores=[])

    def _scope(self, thing: FunctionType | type) -> dict[str, object]:
        """Names that are visible from a definition, and their values now."""
        scope = dict(self._globals)
        for function in [thing] if isinstance(thing, FunctionType) else _methods(thing):
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            scope |= {name: cell.cell_contents for name, cell in cells}
        return scope

    def _value(self, name: str, value: object, node: ast.AST) -> None:
        """What ``name`` stands for in the script."""
        if isinstance(value, ModuleType):
            if _is_guide(value.__name__):
                for chain in _chains(node, name):
                    self._module_or_member(value, chain)
        elif isinstance(value, FunctionType | type) and self._is_local(value):
            self.definition(value)
        elif inspect.isroutine(value) or isinstance(value, type) or _is_typing(value):
            self._module(getattr(value, "__module__", None) or "")
        else:
            self._found.constants[name] = impersonal(self._text(name, value))

    def _is_local(self, value: FunctionType | type) -> bool:
        if isinstance(value, FunctionType):
            return value.__code__.co_filename == self._file
        return value.__module__ == self._home

    def _imported(self, module: str, names: list[str]) -> None:
        """``from module import names`` within a function, or ``import module``."""
        found = importlib.import_module(module)
        for name in names:
            self._module_or_member(found, [name])
        if not names:
            self._module(module)

    def _module_or_member(self, value: object, chain: list[str]) -> None:
        """The module that ``value.chain`` leads to, or that defines what it leads to."""
        for attribute in chain:
            if not isinstance(value, ModuleType):
                break
            inner = getattr(value, attribute, _MISSING)
            if inner is _MISSING:
                break
            if not isinstance(inner, ModuleType):
                # A function or class may come from elsewhere, anything else is looked for where it was found.
                defined = inspect.isroutine(inner) or isinstance(inner, type)
                self._module(inner.__module__ if defined else value.__name__)
                return
            value = inner
        if isinstance(value, ModuleType):
            self._module(value.__name__)

    def _module(self, name: str) -> None:
        """A module of the guide, and the ones of the same workload that it imports."""
        if not _is_guide(name) or name in _NO_INFLUENCE or name in self._found.modules:
            return
        file = Path(inspect.getfile(importlib.import_module(name)))
        self._found.modules[name] = file
        if name.startswith(f"{_WORKLOADS}."):
            for module, names in _imports(ast.parse(file.read_text(encoding="utf-8"))):
                if module == _WORKLOADS or module.startswith(f"{_WORKLOADS}."):
                    self._imported(module, names)

    def _text(self, name: str, value: object) -> str:
        """``value`` as text that is the same in every process."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | enum.Enum | range):
            return repr(value)
        if isinstance(value, PurePath):
            return f"path {value}"
        if isinstance(value, list | tuple):
            return f"{type(value).__name__}({', '.join(self._text(name, item) for item in value)})"
        if isinstance(value, set | frozenset):
            return f"set({', '.join(sorted(self._text(name, item) for item in value))})"
        if isinstance(value, dict):
            items = (f"{self._text(name, key)}: {self._text(name, item)}" for key, item in value.items())
            return f"dict({', '.join(items)})"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return f"{type(value).__qualname__} {self._text(name, parts)}"
        raise OptionError(
            f"{self._name} uses {name}, a {type(value).__name__}: whether that has changed cannot be told.",
            "Make it inside the function, or pass the numbers and texts it is made from as arguments.",
        )


def _unreadable(thing: FunctionType | type) -> OptionError:
    return OptionError(
        f"The source of {thing.__qualname__} cannot be read.", "Write it in a file, as a def or class."
    )


def _is_guide(module: str) -> bool:
    return module == _GUIDE or module.startswith(f"{_GUIDE}.")


def _is_typing(value: object) -> bool:
    return type(value).__module__ in {"typing", "types"}


def _methods(thing: type) -> list[FunctionType]:
    members = (getattr(member, "__func__", member) for member in vars(thing).values())
    return [member for member in members if isinstance(member, FunctionType)]


def _outer_names(node: ast.AST) -> set[str]:
    """The names that a definition takes from outside, as the compiler sees it: no local variables."""
    return set(_outer(symtable.symtable(ast.unparse(node), "<definition>", "exec")))


def _outer(table: symtable.SymbolTable) -> Iterator[str]:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or (top and not symbol.is_assigned())):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _outer(child)


def _chains(node: ast.AST, name: str) -> Iterator[list[str]]:
    """The attributes read from ``name``, as in ``name.first.second``, longest chains included."""
    for inner in ast.walk(node):
        chain: list[str] = []
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner.attr)
            inner = inner.value  # noqa: PLW2901  # down the chain
        if chain and isinstance(inner, ast.Name) and inner.id == name:
            yield chain


def _imports(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """The guide's modules that ``node`` imports, with the names taken from each."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and inner.module and _is_guide(inner.module):
            yield inner.module, [alias.name for alias in inner.names]
        elif isinstance(inner, ast.Import):
            yield from ((alias.name, []) for alias in inner.names if _is_guide(alias.name))


def _without_docstrings(node: ast.AST) -> ast.AST:
    for inner in ast.walk(node):
        if isinstance(inner, _NAMED) and ast.get_docstring(inner, clean=False) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return node
