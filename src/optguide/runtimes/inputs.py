"""Input tensors for a model: from ``.npz`` files, or random from a seed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from optguide.errors import InputError
from optguide.runtimes.ports import Port
from optguide.storage import atomic_file, storage_errors

Arrays = dict[str, npt.NDArray[Any]]

# Token identifiers, masks and segment identifiers are valid at 0 and 1 in every vocabulary, and larger
# random integers would index outside a small embedding table.
INTEGER_BOUND = 2

_NUMPY = frozenset(
    (
        *("float16", "float32", "float64", "bool"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    )
)
_FLOATS = ("float", "bf", "f8", "f4", "nf")
_INTEGERS = ("int", "uint", "bool", "i", "u")


def from_files(paths: Sequence[str]) -> list[Arrays]:
    """Read each ``.npz`` as one set of named inputs; arrays only, nothing is unpickled.

    :raises InputError: a file is missing, is no ``.npz``, or holds Python objects.
    """
    sets = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as archive:
                sets.append({name: archive[name] for name in archive.files})
        except FileNotFoundError:
            raise InputError(f"The input file {path} does not exist.", "Check the path.") from None
        except Exception as error:  # of many types, by which byte of the file is wrong
            raise InputError(
                f"{Path(path).name} is not an .npz file of plain arrays ({error}).",
                "Write it with numpy.savez(path, input_name=array).",
            ) from error
        if not sets[-1]:
            raise InputError(f"{Path(path).name} holds no array.", "Save one array per model input.")
    return sets


def save(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write one set as ``.npz``, complete or not at all; inputs may have any name.

    ``numpy.savez`` takes none that is called ``file``.

    :raises StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)


def random_inputs(ports: Sequence[Port], seed: int) -> Arrays:
    """Draw one set: standard normal for floats, 0 or 1 for integers and booleans.

    What an input gets depends on its name and not on its place: another exporter's file, with the same inputs
    in another order, gets the same values. A single input gets the same values whatever it is called.

    :param ports: with static shapes. An element type that NumPy lacks gets 32-bit floats.
    :raises InputError: an input takes texts.
    """
    alone = len(ports) == 1
    return {port.name: _drawn(port, np.random.default_rng([seed, *_place(port, alone)])) for port in ports}


def _place(port: Port, alone: bool) -> list[int]:
    # TensorFlow calls the tensor of an input x both ``x`` and ``x:0``.
    return [] if alone else [zlib.crc32(port.name.partition(":")[0].encode())]


def numpy_type(port: Port) -> np.dtype[Any] | None:
    """The element type of a port's arrays; ``None`` for texts and for types that NumPy lacks."""
    return np.dtype(port.dtype) if port.dtype in _NUMPY else None


def _drawn(port: Port, rng: np.random.Generator) -> npt.NDArray[Any]:
    shape = tuple(size or 0 for size in port.shape)
    if port.dtype.startswith(_FLOATS):
        values: npt.NDArray[Any] = np.asarray(rng.standard_normal(shape, dtype=np.float32))
        return values.astype(numpy_type(port) or np.float32)
    if port.dtype.startswith(_INTEGERS):
        values = np.asarray(rng.integers(0, INTEGER_BOUND, shape))
        return values.astype(numpy_type(port) or np.int8)
    takes = "text" if port.dtype == "str" else f"elements of type {port.dtype}"
    raise InputError(
        f"Input {port.name!r} takes {takes}, for which no random values can be drawn.",
        "Pass --inputs with an .npz file of real inputs.",
    )


def check_types(arrays: Mapping[str, npt.NDArray[Any]], ports: Sequence[Port]) -> None:
    """Refuse arrays of another element type: converting them would count with every call, without a word.

    :raises InputError: for the first such array.
    """
    for port in ports:
        array, dtype = arrays[port.name], numpy_type(port)
        if dtype is not None:
            fits = array.dtype == dtype
        elif port.dtype == "str":
            fits = array.dtype.kind in "US"
        else:
            fits = array.dtype.kind == "f" if port.dtype.startswith(_FLOATS) else array.dtype.kind in "iub"
        if not fits:
            expected = "text" if port.dtype == "str" else port.dtype
            raise InputError(
                f"The inputs do not fit the model: {port.name!r} takes {expected} and the file has "
                f"{array.dtype}.",
                "Check the element types in the .npz file.",
            )
