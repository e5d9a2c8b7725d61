"""Files that an example writes with code of its own, kept like the guide's workloads."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optguide.errors import Failure, OptionError
from optguide.guide.workloads import store
from optguide.guide.workloads.fingerprint import fingerprint
from optguide.paths import build_dir, impersonal, shown

__all__ = ["PACKAGES", "cached_artifact"]

PACKAGES = ("torch", "nncf", "openvino", "numpy", "scikit-learn")
"""Distributions whose versions decide what an example's training or conversion gives."""


def cached_artifact(
    function: Callable[..., object], /, *, packages: tuple[str, ...] = PACKAGES, **arguments: Any
) -> Path:
    """The folder that ``function(folder, **arguments)`` has filled, now or in an earlier run.

    It is called again when its code changes, or what that code refers to: other functions, classes and
    constants of the script, modules of the guide, the arguments, the versions of packages. Comments,
    docstrings and the rest of the script do not matter. What it prints is dropped; when it fails or is
    interrupted nothing stays.

    :param function: writes files into the folder it is given; a ``def`` in a file.
    :param packages: distributions whose versions decide the result.
    :param arguments: plain data that JSON can hold.
    :raises OptionError: arguments or constants that are no plain data, or no function written with ``def``.
    :raises EnvironmentMissing: one of ``packages`` is not installed.
    :raises Failure: the function wrote nothing.
    :raises StorageError: the files cannot be written.
    """
    recipe = _recipe(function, packages, arguments)
    folder = build_dir() / "models" / store.key(recipe)
    if not folder.is_dir():
        call = ", ".join([function.__name__, *(f"{name}={value}" for name, value in arguments.items())])
        print(f"Making {impersonal(call)}: once, then kept as {shown(folder)}", file=sys.stderr, flush=True)
    return store.ensure(recipe)


def _recipe(
    function: Callable[..., object], packages: tuple[str, ...], arguments: dict[str, Any]
) -> store.Recipe:
    found = fingerprint(function)
    inspect.signature(function).bind(Path(), **arguments)  # a wrong argument also fails when nothing is to do
    parts = {"definitions": found.definitions, "constants": found.constants, "arguments": _plain(arguments)}
    identity = impersonal(json.dumps(parts, sort_keys=True))  # the same in every checkout
    return store.Recipe(
        function.__name__.strip("_").replace("_", "-"),
        lambda folder: _fill(function, folder, arguments),
        sources=tuple(found.modules[name] for name in sorted(found.modules)),
        packages=packages,
        ingredients=(identity,),
    )


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """``arguments``, each of which JSON can hold."""
    for name, value in arguments.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"The argument {name} is a {type(value).__name__} that JSON cannot hold.",
                "Pass numbers, texts, and lists or dictionaries of them.",
            ) from error
    return arguments


def _fill(function: Callable[..., object], folder: Path, arguments: dict[str, Any]) -> None:
    function(folder, **arguments)
    if not any(folder.iterdir()):
        raise Failure(
            f"{function.__name__} has written nothing into its folder.", "Save its result below the folder."
        )
