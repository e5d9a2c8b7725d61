"""Folders: the checkout of the guide and the one for everything generated."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

__all__ = ["VARIABLE", "build_dir", "impersonal", "records_dir", "repository", "shown"]

VARIABLE = "OPTGUIDE_BUILD"

_MARKER = Path("conf", "claims")


def repository(start: Path | None = None) -> Path | None:
    """The checkout of the guide that holds ``start``, or ``None`` outside of one.

    :param start: a folder or file; the current folder by default.
    """
    place = (start or Path.cwd()).resolve()
    return next((folder for folder in (place, *place.parents) if (folder / _MARKER).is_dir()), None)


def build_dir() -> Path:
    """The folder for everything generated; it need not exist yet.

    The environment variable ``OPTGUIDE_BUILD`` decides; without it ``build`` in the checkout, and outside of
    a checkout ``build`` in the current folder.
    """
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).resolve() if chosen else (repository() or Path.cwd()) / "build"


def records_dir(build: Path | None = None) -> Path:
    """The folder of the records inside ``build`` (:func:`build_dir` by default)."""
    return (build or build_dir()) / "records"


def shown(path: PurePath | str) -> str:
    """``path`` for readers: relative to the checkout if it lies inside, with ``/`` as the separator."""
    pure = PurePath(path)
    for base, name in _places():
        if pure.is_relative_to(base):
            return PurePath(name, pure.relative_to(base)).as_posix()
    return pure.as_posix()


def impersonal(text: str) -> str:
    """``text`` with its paths shortened to begin at the checkout, the build folder or the home folder."""
    for base, name in _places():
        text = text.replace(f"{base}{os.sep}", f"{name}/" if name else "")
    return text


def _places() -> list[tuple[Path, str]]:
    """Folders whose location is private, each with what readers see in its place."""
    base = repository()
    # The checkout comes first: the build folder is usually inside it and keeps its name there.
    checkout = [(base, "")] if base else []
    return [*checkout, (build_dir(), "build"), (Path.home(), "~")]
