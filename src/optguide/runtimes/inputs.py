"""Input tensors for a model: from ``.npz`` files, or random from a seed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from optguide.errors import InputError
from optguide.storage import atomic_file, storage_errors

Arrays = dict[str, npt.NDArray[np.generic]]
InputSpec = tuple[tuple[int, ...], np.dtype[np.generic]]
"""Static shape and element type of one input."""

# Token identifiers, masks and segment identifiers are valid at 0 and 1 in every vocabulary, and larger
# random integers would index outside a small embedding table.
INTEGER_BOUND = 2


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


def random_inputs(specs: Mapping[str, InputSpec], seed: int) -> Arrays:
    """Draw one set: standard normal for floats, 0 or 1 for integers and booleans."""
    rng = np.random.default_rng(seed)
    drawn: Arrays = {}
    for name, (shape, dtype) in specs.items():
        if np.issubdtype(dtype, np.floating):
            drawn[name] = rng.standard_normal(shape, dtype=np.float32).astype(dtype)
        elif np.issubdtype(dtype, np.integer) or dtype == np.bool_:
            drawn[name] = rng.integers(0, INTEGER_BOUND, shape).astype(dtype)
        else:
            raise InputError(
                f"Input {name!r} has element type {dtype}, for which no random values can be drawn.",
                "Pass --inputs with an .npz file of real inputs.",
            )
    return drawn


def match(arrays: Arrays, names: Sequence[str], source: str) -> Arrays:
    """Order ``arrays`` as the model orders its inputs.

    A set with other names but the right number of arrays is taken in its own order: exporters rename
    inputs, and refusing those files would help nobody.

    :raises InputError: the number of arrays differs from the number of inputs.
    """
    if set(names) <= set(arrays):
        return {name: arrays[name] for name in names}
    if len(arrays) == len(names):
        return dict(zip(names, arrays.values(), strict=True))
    raise InputError(
        f"{source} holds {', '.join(arrays)}, and the model's inputs are {', '.join(names)}.",
        "Save one array per model input, under its name.",
    )


def refuse_unknown(shapes: Iterable[str], names: Sequence[str]) -> None:
    """Refuse shapes for inputs that the model does not have.

    :raises InputError: for the first such input.
    """
    if unknown := sorted(set(shapes) - set(names)):
        raise InputError(
            f"The model has no input {unknown[0]!r}; its inputs are {', '.join(names)}.",
            "Give --shape with one of those names.",
        )
