"""What a model answers to samples: computed one after the other, stored in files and read back.

Outputs can be larger than memory, and a metric may need all of them at once. So they are appended to one
plain file per output as they are computed, and read back as views of the mapped files.
"""

from __future__ import annotations

import itertools
import json
import math
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from optguide.errors import NotEnoughSamples
from optguide.runtimes.openvino_models import infer_all
from optguide.storage import atomic_folder

if TYPE_CHECKING:
    import openvino


Array = npt.NDArray[Any]

_INDEX = "index.json"
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Answers:
    """What a model answers to samples, and what would be right.

    :param outputs: for each sample, one array per output of the model.
    :param checksums: one per sample, to pair answers of different processes.
    """

    outputs: list[list[Array]]
    labels: Array | None = None
    checksums: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.outputs)

    def first(self, count: int) -> Answers:
        """The answers to the first ``count`` samples."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, outputs=self.outputs[:count], labels=labels, checksums=self.checksums[:count])

    def picked(self, indexes: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Answers:
        """The answers to the samples at ``indexes``, in that order; an index may come several times."""
        labels = None if self.labels is None else self.labels[indexes]
        return Answers([self.outputs[index] for index in indexes], labels)


def checksum(sample: Mapping[str, Array]) -> int:
    """Checksum of the arrays of a sample."""
    total = 0
    for name in sorted(sample):
        total = zlib.crc32(np.ascontiguousarray(sample[name]).tobytes(), total)
    return total


def answers_to(
    compiled: openvino.CompiledModel,
    samples: Iterable[Mapping[str, Array]],
    until: float = math.inf,
    *,
    requests: int = 0,
    stacked: int = 1,
) -> Iterator[tuple[int, list[Array]]]:
    """Checksum and outputs for each of ``samples``, in their order, as many as there is time for.

    :param until: a time of :func:`time.monotonic` after which no sample but the first is started.
    :param requests: inferences in flight; 0 is as many as the device calls optimal.
    :param stacked: how many samples one inference takes, which have to be of the same shape.
    """
    checksums: deque[int] = deque()

    def in_time() -> Iterator[Mapping[str, Array]]:
        for index, sample in enumerate(samples):
            if index and time.monotonic() > until:
                return
            checksums.append(checksum(sample))
            yield sample

    for outputs in infer_all(compiled, _batches(in_time(), stacked), requests):
        parts = (np.split(output, stacked) for output in outputs) if stacked > 1 else ([o] for o in outputs)
        for sample_outputs in zip(*parts, strict=True):
            if checksums:  # what fills up the last batch is nobody's answer
                yield checksums.popleft(), list(sample_outputs)


def _batches(samples: Iterator[Mapping[str, Array]], count: int) -> Iterator[Mapping[str, Array]]:
    """Samples stacked by ``count``; the last of them fills up the last batch."""
    if count == 1:
        yield from samples
        return
    while batch := list(itertools.islice(samples, count)):
        batch += batch[-1:] * (count - len(batch))
        yield {name: np.concatenate([sample[name] for sample in batch]) for name in batch[0]}


def store(folder: Path, answers: Iterable[tuple[int, list[Array]]]) -> None:
    """Write checksums and outputs into ``folder``, which appears with all of them or not at all.

    Those beyond some 2 GB are left out: that many are enough, and a run must not fill the disk.
    """
    checksums: list[int] = []
    shapes: list[list[tuple[int, ...]]] = []
    dtypes: list[str] = []
    written = 0
    with atomic_folder(folder) as draft, ExitStack() as stack:
        files: list[BinaryIO] = []
        for sample_checksum, outputs in answers:
            if not checksums:
                dtypes = [output.dtype.str for output in outputs]
                shapes = [[] for _ in outputs]
                paths = [draft / f"{number}.bin" for number in range(len(outputs))]
                files = [stack.enter_context(path.open("wb")) for path in paths]
            checksums.append(sample_checksum)
            for file, output_shapes, output in zip(files, shapes, outputs, strict=True):
                output_shapes.append(output.shape)
                written += file.write(output.tobytes())
            if written > _MOST_BYTES:
                break
        if not checksums:
            raise NotEnoughSamples("There was no sample to answer.", "Give more: half of them calibrate.")
        index = json.dumps({"checksums": checksums, "dtypes": dtypes, "shapes": shapes})
        (draft / _INDEX).write_text(index, encoding="utf-8")


def load(folder: Path) -> Answers:
    """What :func:`store` wrote, without labels.

    :raises FileNotFoundError: nothing was stored in ``folder``.
    """
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    columns = [
        _column(folder / f"{number}.bin", np.dtype(dtype), shapes)
        for number, (dtype, shapes) in enumerate(zip(index["dtypes"], index["shapes"], strict=True))
    ]
    return Answers(
        [list(outputs) for outputs in zip(*columns, strict=True)], checksums=tuple(index["checksums"])
    )


def _column(path: Path, dtype: np.dtype[Any], shapes: list[list[int]]) -> list[Array]:
    """One output of all samples, as views of its file."""
    sizes = [math.prod(shape) for shape in shapes]
    whole = np.memmap(path, dtype=dtype, mode="r") if any(sizes) else np.empty(0, dtype=dtype)
    ends = itertools.accumulate(sizes)
    return [
        whole[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes, strict=True)
    ]
