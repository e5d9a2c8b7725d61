"""Claims as they are written down in ``claims.toml``."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from optguide.errors import ClaimError
from optguide.paths import repository
from optguide.records.model import check_id

__all__ = ["Claim", "Condition", "Source", "load"]

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; a misspelt key is an error instead of a condition that nobody checks."""


class Source(_Strict, frozen=True):
    """Where the advice is given.

    :param title: of the page.
    :param url: of the page.
    """

    title: str
    url: str


class Condition(_Strict, frozen=True):
    """What a result must be for the claim to hold; exactly one bound is given, in the result's unit.

    :param result: identifier of the result.
    :param above: the interval must lie above this.
    :param below: the interval must lie below this.
    :param between: the interval must lie within these two, ends included.
    """

    result: str
    above: float | None = None
    below: float | None = None
    between: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_id(self.result)
        given = [bound for bound in (self.above, self.below, self.between) if bound is not None]
        if len(given) != 1:
            raise ValueError(f"{self.result} needs exactly one of above, below and between")
        low, high = self.between or (0.0, 0.0)
        if not all(map(math.isfinite, (self.above or 0.0, self.below or 0.0, low, high))) or low > high:
            raise ValueError(f"{self.result} needs finite bounds, the lower one first")


class Claim(_Strict, frozen=True):
    """A piece of advice that measurements can confirm or refute.

    :param id: lower-case words with hyphens between.
    :param chapter: folder of the guide that discusses it.
    :param statement: one sentence.
    :param source: where the advice is given.
    :param page: guide page that discusses it, without suffix.
    :param conditions: all of them must hold.
    :param needs: what the machine must have, see :meth:`optguide.machine.Machine.supports`.
    """

    id: str
    chapter: str
    statement: str
    source: Source
    page: str
    conditions: tuple[Condition, ...]
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError("the id must be lower-case words with hyphens between")
        if not self.conditions:
            raise ValueError("at least one condition must decide it")


def load(path: Path | None = None) -> tuple[Claim, ...]:
    """Read the claims.

    :param path: the file; by default ``conf/claims.toml`` of the checkout around the current folder or else
        around this package, and without either the file that was installed with the package.
    :raises ClaimError: the file is missing, does not parse, or has two claims of one id.
    """
    file = path or _default_file()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClaimError(f"{file} cannot be read: {error.strerror}.", "Name an existing file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClaimError(f"{file} is no valid TOML: {error}.", "Correct the file.") from error
    tables = data.pop("claim", [])
    if data or not isinstance(tables, list):
        raise ClaimError(
            f"{file} may hold nothing but [[claim]] tables.", f"Remove {', '.join(data) or 'claim'}."
        )
    claims = tuple(_claim(table, place, file) for place, table in enumerate(tables, start=1))
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ClaimError(f"{file} has two claims {claim.id!r}.", "Give every claim its own id.")
        seen.add(claim.id)
    return claims


def _default_file() -> Path | Traversable:
    checkout = repository() or repository(Path(__file__))
    return (
        checkout / "conf" / "claims.toml"
        if checkout
        else resources.files("optguide") / "data" / "claims.toml"
    )


def _claim(table: Any, place: int, file: Path | Traversable) -> Claim:
    name = repr(table["id"]) if isinstance(table, Mapping) and "id" in table else f"number {place}"
    try:
        return msgspec.convert(table, Claim)
    except (msgspec.ValidationError, ClaimError) as error:
        raise ClaimError(f"Claim {name} in {file} is not valid: {error}", "Correct the claim.") from error
