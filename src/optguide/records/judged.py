"""Which model an accuracy is about, so that a later example can run that model again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optguide.paths import build_dir
from optguide.records.model import Result

__all__ = ["Judged"]


@dataclass(frozen=True)
class Judged:
    """Evidence beside an accuracy.

    :param task: what the model was asked, such as ``"digits"``; only models of one task are comparable.
    :param model: its file, in the build folder.
    :param precision: that was pinned; ``None`` is the device's own.
    :param original: whether the others of the task were made from it.
    """

    task: str
    model: Path
    precision: str | None = "f32"
    original: bool = False

    @property
    def evidence(self) -> dict[str, Any]:
        """For :meth:`optguide.records.Recording.add`."""
        return {"judged": asdict(self)}

    @classmethod
    def of(cls, result: Result) -> Judged | None:
        """What was judged, with the model's place in this build; ``None`` where the example did not tell."""
        found = result.evidence.get("judged")
        if found is None:
            return None
        # Records show readers paths that begin with "build", wherever that folder is.
        return cls(**{**found, "model": build_dir() / Path(found["model"]).relative_to("build")})
