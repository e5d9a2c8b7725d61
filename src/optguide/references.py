"""Functions of the reader's own, written ``package.module:function``."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optguide.errors import OptGuideError, described

_REFERENCE = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


def is_reference(text: str) -> bool:
    """Whether ``text`` has the form of a reference and is not the name of an existing file."""
    return bool(_REFERENCE.fullmatch(text)) and not Path(text).exists()


def split(reference: str) -> tuple[str, str]:
    """The module in ``reference`` and the name in that module."""
    module, _, name = reference.partition(":")
    return module, name


def function(reference: str, error: type[OptGuideError]) -> Callable[..., Any]:
    """The function that ``reference`` names; its module may lie in the current folder.

    :param error: class of the errors, which depends on what the function is for.
    :raises error: the module or the function does not exist, or importing fails.
    """
    folder = os.getcwd()  # noqa: PTH109 - sys.path holds strings
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)  # last: a numpy.py beside the model is not numpy
    name, attribute = split(reference)
    target = _module(name, error)
    for part in attribute.split("."):
        if not hasattr(target, part):
            close = difflib.get_close_matches(part, dir(target), n=1)
            raise error(
                f"{name} has no {attribute!r}.",
                f"Did you mean {close[0]}?" if close else "Write it as package.module:function.",
            )
        target = getattr(target, part)
    if not callable(target):
        raise error(
            f"{reference} is of type {type(target).__qualname__}, not a function.",
            "Name a function that returns it.",
        )
    return target  # type: ignore[no-any-return]  # callable() was asked


def called(reference: str, error: type[OptGuideError]) -> Any:
    """Call the function that ``reference`` names, without arguments, and return its result."""
    chosen = function(reference, error)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is the command's own
            return chosen()
    except OptGuideError:
        raise
    except (Exception, SystemExit) as raised:
        raise error(
            f"{reference} raised {described(raised)}.",
            "Correct it; it is called without arguments.",
        ) from raised


def _module(name: str, error: type[OptGuideError]) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{name}.".startswith(f"{missing.name}."):
            raise error(
                f"Importing {name} failed: it needs {missing.name}, which is not installed.",
                "Install that package.",
            ) from missing
        raise error(
            f"There is no module {name!r} here.",
            "Run the command in the folder that holds it, or install the package; "
            "write the function as package.module:function.",
        ) from missing
    except (Exception, SystemExit) as raised:  # whatever the module's own code does
        raise error(
            f"Importing {name} failed: {described(raised)}.", "Correct the module, then run again."
        ) from raised
