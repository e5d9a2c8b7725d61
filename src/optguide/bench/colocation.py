"""Variants that run at the same time, measured against each running alone.

Groups take turns in short blocks and in a new order every round, as variants do in a session. In each turn
all variants of the group are called at once, so each of them runs beside the others for the whole of its
timed window. Statistics are those of a session.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from optguide.bench.result import SessionResult
from optguide.bench.rotation import THIS_MACHINE, Host
from optguide.bench.session import Budget, ClosedLoop, Member
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import OptionError

__all__ = ["Group", "Sharing", "colocate"]

Sharing = Literal["processes", "process", "turns"]
ProcessGroup = tuple[Variant, ...]
"""Variants that share a process."""

LINGER = 0.2
"""Share of a block that is called after the timed window, so that windows which do not end in the same moment
still lie within the calls of the others; what is discarded does the same at the beginning."""


@dataclass(frozen=True)
class Group:
    """Variants that run at the same time.

    :param name: name in tables, such as ``two processes``.
    :param variants: with different names; a single one runs alone.
    :param sharing: ``processes`` gives each a process of its own. With ``process`` they share one, and each
        is called by a thread of its own. ``turns`` is the same with one call at a time, in the order in which
        they are asked for; a latency then includes the wait for the turn.
    """

    name: str
    variants: tuple[Variant, ...]
    sharing: Sharing = "processes"

    def __post_init__(self) -> None:
        require_unique_names(self.variants, f"The group {self.name!r}")
        if self.sharing == "turns" and any(variant.runtime.asynchronous for variant in self.variants):
            raise OptionError(
                f"In {self.name!r} variants take turns, which those with requests in flight cannot.",
                "Leave out requests.",
            )

    def of(self, variant: str) -> str:
        """The name of a variant's results in this group: ``ResNet-50, two processes``."""
        return f"{variant}, {self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the results, one per variant."""
        return tuple(self.of(variant.name) for variant in self.variants)

    @property
    def processes(self) -> tuple[ProcessGroup, ...]:
        """The variants by process."""
        if self.sharing == "processes":
            return tuple((variant,) for variant in self.variants)
        return (self.variants,)

    @property
    def request(self) -> dict[str, Any]:
        """What each process is asked for in a turn."""
        if self.sharing == "processes":
            return {"do": "block"}
        return {"do": "colocated", "turns": self.sharing == "turns"}


def colocate(
    groups: Sequence[Group],
    budget: Budget | None = None,
    *,
    host: Host = THIS_MACHINE,
) -> SessionResult:
    """Measure groups against each other in one session, for the whole budget: tails need many samples.

    Processes are shared between groups where the variants are equal: a variant alone and the same one beside
    another are measured in the same process. A group that fails is reported in ``failures``, and the others
    are measured all the same.

    :param budget: its ``precision`` is not used.
    :return: results under the names of :meth:`Group.of`.
    :raises Busy: another measurement is running.
    :raises OptionError: two results would have one name.
    :raises OptGuideError: every group failed; the first one's error.
    """
    names = [name for group in groups for name in group.names]
    if not names or len(set(names)) != len(names):
        raise OptionError("Groups need different names or variants.", "Give each group a name of its own.")
    processes: dict[str, ProcessGroup] = {}
    labels: dict[str, str] = {}
    for variants in (variants for group in groups for variants in group.processes):
        title = " and ".join(variant.name for variant in variants)
        processes[labels.setdefault(_key(variants), f"{title}, process {len(labels) + 1}")] = variants
    members = []
    for group in groups:
        own = tuple(labels[_key(variants)] for variants in group.processes)
        members.append(Member(group.name, group.names, own, group.request, LINGER))
    whole = replace(budget or Budget(), questions=None)
    return ClosedLoop(members, processes, whole, host=host).run("several models at once")


def _key(variants: ProcessGroup) -> str:
    """Equal for equal variants; a variant itself holds mappings and cannot be a key."""
    return json.dumps([variant.to_dict() for variant in variants], sort_keys=True)
