"""How noisy the machine was when the gallery ran, kept beside the records."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from optguide.machine import NoiseProbe, probe
from optguide.paths import records_dir
from optguide.records.storage import storage_errors

__all__ = ["record_noise", "recorded_noise"]

_NAME = "noise.json"  # not in a chapter's folder, where records are


def record_noise() -> None:
    """Probe the machine and keep the result; the caller holds the measuring lock.

    :raises StorageError: a full disk or a folder that cannot be written.
    """
    found = msgspec.json.encode(probe())
    folder = records_dir()
    draft = folder / f".{_NAME}"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(found)
        draft.replace(folder / _NAME)


def recorded_noise() -> NoiseProbe | None:
    """The probe of the last build that measured; ``None`` when there is none that can be read."""
    try:
        found = msgspec.json.decode((records_dir() / _NAME).read_bytes(), type=dict[str, Any])
        # JSON has no NaN, which a probe holds for what the system does not tell.
        return msgspec.convert({name: math.nan if v is None else v for name, v in found.items()}, NoiseProbe)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
