"""Where things are: the repository of the guide and the folder for everything generated."""

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
    """``path`` as readers should see it: relative to the checkout where it lies inside, with ``/``."""
    pure = PurePath(path)
    for base, name in _places():
        if pure.is_relative_to(base):
            return PurePath(name, pure.relative_to(base)).as_posix()
    return pure.as_posix()


def impersonal(text: str) -> str:
    """``text`` without what precedes the checkout, the build folder or the home folder in paths."""
    for base, name in _places():
        text = text.replace(f"{base}{os.sep}", f"{name}/" if name else "")
    return text


def _places() -> list[tuple[Path, str]]:
    """Folders whose place on this machine is nobody's business, and what readers see instead."""
    base = repository()
    # The build folder is usually in the checkout, and then keeps its name there.
    checkout = [(base, "")] if base else []
    return [*checkout, (build_dir(), "build"), (Path.home(), "~")]
