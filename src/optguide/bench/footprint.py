"""How much memory this process takes.

Resident memory counts pages of mapped files too. The system can drop those and share them with other
processes: a model whose weights are mapped takes less than its resident memory says. The rest is private.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["footprint"]

_FIELDS = {"peak_rss": "VmHWM", "rss": "VmRSS", "private": "RssAnon"}


def footprint() -> dict[str, int | None]:
    """Bytes by kind; ``None`` where the system does not tell.

    ``peak_rss`` is the largest resident memory so far, ``rss`` the resident memory now, ``private`` what of
    that belongs to no file.
    """
    if sys.platform == "linux":
        return _from_status(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes elsewhere
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"peak_rss": peak, "rss": None, "private": None}


def _from_status(status: str) -> dict[str, int | None]:
    """The kernel's own account: ``getrusage`` starts from the peak of the process that spawned this one."""
    lines = (line.partition(":") for line in status.splitlines())
    kibibytes = {name: int(value.split()[0]) for name, _, value in lines if name in _FIELDS.values()}
    known = {kind: kibibytes.get(name) for kind, name in _FIELDS.items()}
    return {kind: None if size is None else 1024 * size for kind, size in known.items()}
