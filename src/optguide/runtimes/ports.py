"""Inputs and outputs of models: their names, which array belongs to which, and what a batch is.

Every name that a model gives to a port counts, in files, in ``--shape`` and between two models. Order decides
only where not a single name fits: files that somebody renamed as a whole are of use, and those in which one
name is misspelt are not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from optguide.errors import InputError

T = TypeVar("T")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Port:
    """One input or output.

    :param name: the first of its names in alphabetical order, or a made-up one where it has none.
    :param dtype: NumPy's name of the element type, such as ``float32``; ``str`` for texts, and OpenVINO's
        name, such as ``bf16``, where NumPy has none.
    :param shape: ``None`` where a size is dynamic; an output of unknown rank has ``(None,)``.
    :param layout: as the model declares it, such as ``NCHW``; empty where it does not.
    :param also: its other names.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    layout: str = ""
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, :attr:`name` first."""
        return (self.name, *self.also)

    @property
    def batch_axis(self) -> int | None:
        """Where the layout has its batch; the first dimension without a layout, none for a scalar."""
        if self.layout:
            return self.layout.find("N") if "N" in self.layout else None
        return 0 if self.shape else None

    def closed(self, *, alone: bool) -> Port:
        """The port with an open batch set to one.

        :param alone: it is the only one. A single vector that is open is then a signal or a text rather than
            a batch of numbers, and is not closed.
        :raises InputError: another size is open.
        """
        sizes, axis = list(self.shape), self.batch_axis
        if axis is not None and sizes[axis : axis + 1] == [None] and not (alone and len(sizes) == 1):
            sizes[axis] = 1
        if None in sizes:
            raise self.dynamic()
        return replace(self, shape=tuple(sizes))

    def dynamic(self) -> InputError:
        """The error for an open size, where there are no inputs that have one."""
        return InputError(
            f"Input {self.name!r} has the dynamic shape {str(self).partition(' ')[2]}.",
            f"Pass a static one, such as --shape {self.example}, or --inputs with real data.",
        )

    @property
    def example(self) -> str:
        """A static shape as ``--shape`` takes it, of the port's own rank: ``ids=1,128``."""
        usual = 224 if len(self.shape) == 4 else 128
        sizes = [size or (1 if axis == self.batch_axis else usual) for axis, size in enumerate(self.shape)]
        return f"{self.name}={','.join(map(str, sizes))}"

    def __str__(self) -> str:
        """``float32 [1,3,?,?]``."""
        return f"{self.dtype} [{','.join('?' if size is None else str(size) for size in self.shape)}]"


def all_names(ports: Sequence[Collection[str]], kind: str = "input") -> list[tuple[str, ...]]:
    """The names of each port in alphabetical order; one is made up where a port has none.

    :param kind: begins made-up names, which are none of the real ones: ``input0``.
    """
    real = {name for names in ports for name in names}
    named = []
    for index, names in enumerate(ports):
        made_up = f"{kind}{index}"
        while made_up in real:
            made_up = f"_{made_up}"
        named.append(tuple(sorted(names)) or (made_up,))
    return named


@dataclass(frozen=True)
class Matching(Generic[T]):
    """Values by the name of the port that each belongs to, in the order of the ports.

    :param by_order: no name fitted, so the order decided.
    :param unused: names of values that belong to no port.
    """

    values: dict[str, T]
    by_order: bool = False
    unused: tuple[str, ...] = ()


def match(values: Mapping[str, T], ports: Sequence[Port], source: str) -> Matching[T]:
    """Find the value of every port: by any of its names, or all by order where no name fits at all.

    :param source: holds the values, at the start of a sentence: ``"real.npz"``.
    :raises InputError: a port has no value although others have, or has two; or the numbers differ where no
        name fits.
    """
    owners = owners_of(values, ports, source)
    if len(owners) == len(ports):
        used = set(owners.values())
        unused = tuple(key for key in values if key not in used)
        return Matching({port.name: values[owners[port.name]] for port in ports}, unused=unused)
    if not owners and len(values) == len(ports):
        names = (port.name for port in ports)
        return Matching(dict(zip(names, values.values(), strict=True)), by_order=True)
    raise InputError(
        f"{source} holds {', '.join(map(str, values)) or 'nothing'}, and the model's inputs are "
        f"{', '.join(port.name for port in ports)}.",
        "Save one array per model input, under its name.",
    )


def owners_of(values: Collection[str], ports: Sequence[Port], source: str) -> dict[str, str]:
    """The key in ``values`` of each port that has one, by the name of the port.

    :raises InputError: two keys are names of one port.
    """
    owners: dict[str, str] = {}
    for port in ports:
        keys = [name for name in port.names if name in values]
        if len(keys) > 1:
            raise InputError(
                f"{source} gives input {port.name!r} twice, as {' and '.join(keys)}.", "Keep one of them."
            )
        if keys:
            owners[port.name] = keys[0]
    return owners


def match_shapes(shapes: Mapping[str, Shape], ports: Sequence[Port]) -> dict[str, Shape]:
    """The shapes that the reader gives, by the name of their port; ports without one are left out.

    :raises InputError: a name that no port has, two shapes for one port, or a shape of another rank.
    """
    if unknown := sorted(set(shapes).difference(*(port.names for port in ports))):
        names = ", ".join(port.name for port in ports)
        raise InputError(
            f"The model has no input {unknown[0]!r}; its inputs are {names}.",
            "Give --shape with one of those names.",
        )
    owners = owners_of(shapes, ports, "--shape")
    return {name: shapes[key] for name, key in owners.items()}


def pairing(first: Sequence[Collection[str]], second: Sequence[Collection[str]]) -> list[int] | None:
    """For each port of one model the place of its counterpart in another, by any name that both have.

    :return: ``None`` where no name of the one is a name of the other, so that only their order is left.
    :raises InputError: some have a counterpart and others have none, or their numbers differ.
    """
    places = [
        next((place for place, names in enumerate(second) if set(names) & set(own)), None) for own in first
    ]
    if all(place is None for place in places) and len(first) == len(second):
        return None
    found = [place for place in places if place is not None]
    if len(set(found)) == len(first) == len(second):
        return found
    listed = (", ".join("/".join(names) or "no name" for names in side) for side in (first, second))
    raise InputError(f"The one has {next(listed)}, the other {next(listed)}.", "Export both alike.")


def count_frames(
    ports: Sequence[Port], inputs: Sequence[Sequence[int]], outputs: Sequence[Sequence[int]]
) -> tuple[int, str]:
    """How many inputs one call processes, and what tells so.

    A layout tells, where the model has one that names the batch or every dimension. Otherwise a first
    dimension that all inputs and all outputs share is taken for a batch: time steps, anchors and rows of a
    picture seldom come out as they went in.

    :param inputs: shapes of the arrays of one call, in the order of ``ports``.
    :param outputs: shapes of what came out.
    :return: one, and an empty reason, where nothing speaks for a batch.
    """
    for port, shape in zip(ports, inputs, strict=True):
        if port.layout and port.batch_axis is not None and len(shape) == len(port.layout):
            return shape[port.batch_axis], "the layout"
    if ports and all(port.layout and "?" not in port.layout for port in ports):
        return 1, "the layout"
    shapes = [*filter(len, inputs), *outputs]  # a scalar is a setting for all of them
    if any(len(shape) > 1 for shape in inputs) and outputs and all(map(len, outputs)):
        first = {shape[0] for shape in shapes}
        if len(first) == 1 and (size := first.pop()) > 0:
            return size, "the first dimension of all inputs and outputs"
    return 1, ""
