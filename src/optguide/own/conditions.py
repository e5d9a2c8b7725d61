"""The guide's claims with conditions that any model can be held against, from ``conf/own_model.toml``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from optguide import claims
from optguide.claims.model import Claim, Condition, Strict, read, shipped
from optguide.errors import ClaimError

__all__ = ["FILE", "chosen", "load"]

FILE = "own_model.toml"


class _Asked(Strict, frozen=True):
    """A claim of the guide, asked of the reader's model.

    :param id: of the claim.
    :param conditions: in place of the guide's, which look at what its examples record.
    :param statement: in place of the guide's, where that names models of the guide.
    """

    id: str
    conditions: tuple[Condition, ...]
    statement: str | None = None


def load(file: Path | None = None, folder: Path | None = None) -> tuple[Claim, ...]:
    """The claims that can be asked of any model: the guide's, with conditions on that model's results.

    :param file: ``conf/own_model.toml`` of the checkout by default, or what was installed with the package.
    :param folder: of the guide's claims, see :func:`optguide.claims.load`.
    :raises ClaimError: the file is missing or not valid, or asks for a claim that the guide does not make.
    """
    guide = {claim.id: claim for claim in claims.load(folder)}
    found = read(file or shipped(FILE), lambda table: _asked(table, guide))
    ids = [claim.id for claim in found]
    if twice := {id_ for id_ in ids if ids.count(id_) > 1}:
        raise ClaimError(f"{FILE} asks for the claim {min(twice)!r} twice.", "Keep one of the two.")
    return tuple(found)


def chosen(known: Sequence[Claim], only: Sequence[str]) -> tuple[Claim, ...]:
    """Those of ``known`` that are named in ``only``, in their order.

    :raises ClaimError: a name that none of them has.
    """
    ids = [claim.id for claim in known]
    for name in only:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=3)
            remedy = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(ids)}."
            raise ClaimError(f"There is no claim {name!r} that can be asked of any model.", remedy)
    return tuple(claim for claim in known if claim.id in only)


def _asked(table: Any, guide: Mapping[str, Claim]) -> Claim:
    asked = msgspec.convert(table, _Asked)
    if asked.id not in guide:
        raise ClaimError("the guide does not make it.")
    claim = guide[asked.id]
    return msgspec.structs.replace(
        claim, conditions=asked.conditions, statement=asked.statement or claim.statement
    )
