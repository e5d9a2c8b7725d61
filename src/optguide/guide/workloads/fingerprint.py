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
import pkgutil
import re
import symtable
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import FunctionType, ModuleType

from optguide.errors import OptionError
from optguide.paths import impersonal

_WORKLOADS = "optguide.guide.workloads"
"""Imports between modules of this package are followed: a workload may consist of several."""

_NO_INFLUENCE = {f"{_WORKLOADS}.artifacts", f"{_WORKLOADS}.fingerprint", "optguide.quiet"}
"""They say where files are kept and what is printed, never what is in the files."""

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Fingerprint:
    """What a function depends on.

    :param definitions: functions and classes of its script by name, as code without comments and docstrings.
    :param constants: other names of the script that it reads, with their values as text.
    :param modules: the guide's modules by name, with their files.
    """

    definitions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Path] = field(default_factory=dict)


def fingerprint(function: Callable[..., object]) -> Fingerprint:
    """What ``function`` depends on.

    The same for a script that runs by itself and one that sphinx-gallery runs block by block.

    :raises OptionError: it is no function written with ``def`` in a file, or it reads an object of its script
        that has no lasting text, such as an array or a model.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise OptionError(
            f"{function!r} is no function written with def.", "Write def train(folder): ... and pass train."
        )
    result = Fingerprint()
    _Follower(function, result).follow(function)
    return result


class _Follower:
    """Walks from a function through everything it refers to."""

    def __init__(self, function: FunctionType, result: Fingerprint) -> None:
        self._function = function
        self._file = function.__code__.co_filename
        self._result = result

    def follow(self, definition: FunctionType | type) -> None:
        """Note a function or class of the script, and what it refers to."""
        name = definition.__qualname__
        if name in self._result.definitions:
            return
        node = self._source(name)
        self._result.definitions[name] = ast.unparse(node)
        scope = self._scope(definition)
        for global_name in sorted(_global_names(node)):
            if global_name in scope:  # else a built-in, or a name that fails when the function runs
                self._follow_value(global_name, scope[global_name], node)
        for dotted in _imports(node):
            self._follow_module(_defining_module(dotted))

    def _source(self, name: str) -> ast.Module:
        """The definition without its docstrings."""
        # Not by inspect.getsource: of a class it asks the module for its file, and sphinx-gallery's has none.
        try:
            nodes: list[ast.stmt] = ast.parse("".join(linecache.getlines(self._file))).body
        except SyntaxError:
            nodes = []
        for part in name.split("."):
            if part != "<locals>":
                inner = (node for outer in nodes for node in ast.walk(outer))
                nodes = [node for node in inner if isinstance(node, _DEFINITIONS) and node.name == part]
        if not nodes:
            raise OptionError(
                f"The source of {name} cannot be read.", "Write it in a file, as a def or class."
            )
        module = ast.Module(nodes, type_ignores=[])
        for node in ast.walk(module):
            if isinstance(node, _DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        return module

    def _scope(self, definition: FunctionType | type) -> dict[str, object]:
        """Names that are visible from a definition, and their values now."""
        scope = dict(self._function.__globals__)
        members = [definition] if isinstance(definition, FunctionType) else vars(definition).values()
        for member in members:
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType):
                cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
                scope |= {name: cell.cell_contents for name, cell in cells}
        return scope

    def _follow_value(self, name: str, value: object, node: ast.AST) -> None:
        """Follow what ``name`` stands for in the script."""
        if isinstance(value, ModuleType):
            for attributes in _attributes(node, name) if _is_guide(value.__name__) else ():
                self._follow_module(_defining_module(value.__name__ + attributes))
        elif isinstance(value, FunctionType | type) and self._is_local(value):
            self.follow(value)
        elif inspect.isroutine(value) or isinstance(value, type) or type(value).__module__ in _TYPING:
            self._follow_module(getattr(value, "__module__", None) or "")
        else:
            self._result.constants[name] = impersonal(self._text(name, value))

    def _is_local(self, value: FunctionType | type) -> bool:
        if isinstance(value, FunctionType):
            return value.__code__.co_filename == self._file
        return value.__module__ == self._function.__module__

    def _follow_module(self, name: str) -> None:
        """Note a module of the guide, and the ones of the same workload that it imports."""
        if not _is_guide(name) or name in _NO_INFLUENCE or name in self._result.modules:
            return
        file = Path(inspect.getfile(importlib.import_module(name)))
        self._result.modules[name] = file
        if name.startswith(f"{_WORKLOADS}."):
            for dotted in _imports(ast.parse(file.read_text(encoding="utf-8"))):
                if dotted.startswith(f"{_WORKLOADS}."):
                    self._follow_module(_defining_module(dotted))

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
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return f"{type(value).__qualname__} {self._text(name, fields)}"
        raise OptionError(
            f"{self._function.__name__} uses {name}, a {type(value).__name__}: "
            "whether that has changed cannot be determined.",
            "Make it inside the function, or pass the numbers and texts it is made from as arguments.",
        )


_TYPING = {"typing", "types"}


def _is_guide(module: str) -> bool:
    return module == "optguide" or module.startswith("optguide.")


def _defining_module(dotted: str) -> str:
    """The module of the guide that defines what a dotted name leads to."""
    try:
        value = pkgutil.resolve_name(dotted)
    except (AttributeError, ImportError):
        value = None
    if isinstance(value, ModuleType):
        return value.__name__
    home = getattr(value, "__module__", None) or ""
    if (inspect.isroutine(value) or isinstance(value, type)) and _is_guide(home):
        return home
    return _defining_module(dotted.rpartition(".")[0])  # a constant is of the module it was found in


def _global_names(node: ast.AST) -> set[str]:
    """The names that a definition takes from outside, as the compiler sees it: no local variables."""

    def outer(table: symtable.SymbolTable) -> Iterator[str]:
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or (top and not symbol.is_assigned())):
                yield symbol.get_name()
        for child in table.get_children():
            yield from outer(child)

    return set(outer(symtable.symtable(ast.unparse(node), "<definition>", "exec")))


def _attributes(node: ast.AST, name: str) -> Iterator[str]:
    """The attributes read from ``name``, such as ``.first`` and ``.first.second``."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            match = re.fullmatch(rf"{name}((\.\w+)+)", ast.unparse(inner))
            if match:
                yield match[1]


def _imports(node: ast.AST) -> Iterator[str]:
    """Dotted names of what ``node`` imports from the guide."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and _is_guide(inner.module or ""):
            yield from (f"{inner.module}.{alias.name}" for alias in inner.names)
        elif isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names if _is_guide(alias.name))
