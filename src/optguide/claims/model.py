"""Claims as they are written down in ``conf/claims``, one file per chapter."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from optguide.chapters import place_of_chapter
from optguide.errors import ClaimError
from optguide.openvino_release import documentation
from optguide.paths import repository
from optguide.records.model import check_id

Read = TypeVar("Read")

Side = Literal["above", "below", "between"]

Margin = Literal["act"]

MARGINS: Mapping[Margin, float] = {"act": 0.05}
"""Names of margins that claims use, as shares. ``act``: a smaller difference is none to act on. It is smaller
than what two processes of one deployment differ by on many machines, and no program is changed for it."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; a misspelt key is an error instead of a condition that nobody checks."""


class Source(Strict, frozen=True):
    """The page that gives the advice.

    :param url: absolute; a file may name a page of OpenVINO's documentation by its path there.
    """

    title: str
    url: str

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "url", documentation(self.url))


class Condition(Strict, frozen=True):
    """What a result must be for the claim to hold; exactly one of the other fields is given.

    The first three are bounds in the result's unit. The last three name a margin of :data:`MARGINS` and are
    about a ratio that would be one if nothing differed.

    :param result: identifier of the result.
    :param above: the interval must lie above this.
    :param below: the interval must lie below this.
    :param between: the interval must lie within these two, ends included.
    :param at_least: the ratio may fall short of one by less than this margin: "costs nothing".
    :param at_most: the ratio may exceed one by less than this margin: "does not pay".
    :param within: the ratio may differ from one by no more than this margin: "makes no difference".
    """

    result: str
    above: float | None = None
    below: float | None = None
    between: tuple[float, float] | None = None
    at_least: Margin | None = None
    at_most: Margin | None = None
    within: Margin | None = None

    def __post_init__(self) -> None:
        check_id(self.result)
        bounds = [key for key in self.__struct_fields__[1:] if getattr(self, key) is not None]
        if len(bounds) != 1:
            raise ValueError(f"{self.result} needs exactly one of {', '.join(self.__struct_fields__[1:])}")
        if not all(map(math.isfinite, self.edges)) or self.edges[0] > self.edges[-1]:
            raise ValueError(f"{self.result} needs finite bounds, the lower one first")

    @property
    def margin(self) -> float | None:
        """How far a ratio may lie from one, where the condition is about that."""
        name = self.at_least or self.at_most or self.within
        return None if name is None else MARGINS[name]

    @property
    def side(self) -> Side:
        """Where the interval must lie in relation to :attr:`edges`."""
        if self.above is not None or self.at_least:
            return "above"
        return "below" if self.below is not None or self.at_most else "between"

    @property
    def edges(self) -> tuple[float, ...]:
        """The one bound, or the two of a range."""
        if self.margin is None:
            return self.between or (self.below if self.above is None else self.above,)  # type: ignore[return-value]
        both = (1 - self.margin, 1 + self.margin)
        return {"above": both[:1], "below": both[1:], "between": both}[self.side]


class Claim(Strict, frozen=True):
    """A piece of advice that measurements can confirm or refute.

    :param id: lower-case words with hyphens between.
    :param chapter: chapter of the guide, the stem of the TOML file.
    :param statement: one sentence.
    :param source: where the advice is given.
    :param page: guide page that discusses it, without suffix.
    :param conditions: all of them must hold.
    :param needs: requirements on the machine, see :meth:`optguide.machine.Machine.supports`.
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


def load(folder: Path | None = None) -> tuple[Claim, ...]:
    """Read the claims of all chapters, in reading order.

    :param folder: holds ``<chapter>.toml``; by default ``conf/claims`` of the checkout around the current
        folder or else around this package, and without either what was installed with the package.
    :raises ClaimError: there is no such file, one does not parse, or two claims have one id.
    """
    place = folder or shipped("claims")
    files = [file for file in place.iterdir() if file.name.endswith(".toml")] if place.is_dir() else []
    if not files:
        raise ClaimError(f"{place} holds no file of claims.", "Name a folder with <chapter>.toml.")
    claims: dict[str, Claim] = {}
    for file in sorted(files, key=lambda file: place_of_chapter(_chapter(file))):
        for claim in _of_file(file):
            if claim.id in claims:
                raise ClaimError(f"{place} has two claims {claim.id!r}.", "Give every claim its own id.")
            claims[claim.id] = claim
    return tuple(claims.values())


def shipped(name: str) -> Path | Traversable:
    """``conf/<name>`` of the checkout around the current folder or else around this package, and without
    either what was installed with the package.
    """
    checkout = repository() or repository(Path(__file__))
    return checkout / "conf" / name if checkout else resources.files("optguide") / "data" / name


def read(file: Path | Traversable, convert: Callable[[Any], Read]) -> list[Read]:
    """The claims of one file, in order.

    :param convert: makes something of one table, or raises :class:`msgspec.ValidationError` or
        :class:`ClaimError`.
    :raises ClaimError: the file cannot be read, does not parse, or holds something else.
    """
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
    return [_converted(table, number, file, convert) for number, table in enumerate(tables, start=1)]


def _converted(table: Any, number: int, file: Path | Traversable, convert: Callable[[Any], Read]) -> Read:
    name = repr(table["id"]) if isinstance(table, Mapping) and "id" in table else f"number {number}"
    try:
        return convert(table)
    except (msgspec.ValidationError, ClaimError) as error:
        raise ClaimError(f"Claim {name} in {file} is not valid: {error}", "Correct the claim.") from error


def _chapter(file: Path | Traversable) -> str:
    return file.name.removesuffix(".toml")


def _of_file(file: Path | Traversable) -> list[Claim]:
    chapter = _chapter(file)
    return read(file, lambda table: msgspec.convert(_with_chapter(table, chapter), Claim))


def _with_chapter(table: Any, chapter: str) -> Any:
    if not isinstance(table, Mapping):
        return table
    if "chapter" in table:
        raise ClaimError("its chapter is the name of the file, so the key `chapter` has to go.")
    return {**table, "chapter": chapter}
