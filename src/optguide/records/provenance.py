"""Which script made a record, and whether it is still the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import FrameType

from optguide.paths import repository
from optguide.records.model import Record

__all__ = ["calling_script", "script_change"]


def calling_script(frame: FrameType) -> tuple[str, str]:
    """Path in the repository and SHA-256 of the script that ``frame`` belongs to.

    Both are empty where there is no file, as in a notebook; outside of a repository the path is.
    """
    name = frame.f_globals.get("__file__")
    if not name or not Path(name).is_file():
        return "", ""
    script = Path(name).resolve()
    base = repository(script)
    return (script.relative_to(base).as_posix() if base else ""), _digest(script)


def script_change(record: Record) -> str:
    """What happened to the script since: a clause such as "changed afterwards", or nothing."""
    base = repository()
    if not base or not record.script:
        return ""
    script = base / record.script
    if not script.is_file():
        return "does not exist any more"
    return "" if _digest(script) == record.script_sha256 else "changed afterwards"


def _digest(script: Path) -> str:
    return hashlib.sha256(script.read_bytes()).hexdigest()
