"""Outputs of one model for the judged samples, one after the other into files and from there.

Outputs can be larger than memory, and a metric may want all of them at once. So they are appended to one
plain file per output as they come, and read back as views of the mapped files.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optguide.errors import NotEnoughSamples
from optguide.runtimes.openvino_models import infer_all

if TYPE_CHECKING:
    import openvino

__all__ = ["Answers", "Array", "answers_to", "load", "mark", "store"]

Array = npt.NDArray[Any]

_INDEX = "index.json"
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Answers:
    """What a model answers.

    :param outputs: by sample, one array per output of the model.
    :param labels: one per sample, or ``None``.
    :param marks: checksum of each sample, by which answers of different processes are paired.
    """

    outputs: list[list[Array]]
    labels: Array | None = None
    marks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.outputs)

    def first(self, count: int) -> Answers:
        """The first ``count`` of them."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, outputs=self.outputs[:count], labels=labels, marks=self.marks[:count])

    def picked(self, indexes: Iterable[int]) -> Answers:
        """Those at ``indexes``, in that order; one may come several times."""
        chosen = list(indexes)
        labels = None if self.labels is None else self.labels[chosen]
        return Answers([self.outputs[index] for index in chosen], labels)


def mark(sample: Mapping[str, Array]) -> int:
    """Checksum of the arrays of a sample."""
    total = 0
    for name in sorted(sample):
        total = zlib.crc32(np.ascontiguousarray(sample[name]).tobytes(), total)
    return total


def answers_to(
    compiled: openvino.CompiledModel, samples: Iterable[Mapping[str, Array]], until: float
) -> Iterator[tuple[int, list[Array]]]:
    """Mark and outputs for each of ``samples``, in their order, as many as there is time for.

    :param until: of :func:`time.monotonic`; no sample is begun later, but for the first.
    """
    marks: deque[int] = deque()

    def in_time() -> Iterator[Mapping[str, Array]]:
        for index, sample in enumerate(samples):
            if index and time.monotonic() > until:
                return
            marks.append(mark(sample))
            yield sample

    for outputs in infer_all(compiled, in_time()):
        yield marks.popleft(), outputs


def store(folder: Path, answers: Iterable[tuple[int, list[Array]]]) -> None:
    """Write marks and outputs into ``folder``, which appears with all of them or not at all.

    Those beyond some 2 GB are left out: that many are enough, and a run must not fill the disk.

    :raises NotEnoughSamples: there are none.
    """
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(partial, answers)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load(folder: Path) -> Answers:
    """What :func:`store` wrote, without labels.

    :raises FileNotFoundError: there is nothing.
    """
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    columns = [
        _column(folder / f"{number}.bin", np.dtype(kind), shapes)
        for number, (kind, shapes) in enumerate(zip(index["kinds"], index["shapes"], strict=True))
    ]
    return Answers([list(outputs) for outputs in zip(*columns, strict=True)], marks=tuple(index["marks"]))


def _write(folder: Path, answers: Iterable[tuple[int, list[Array]]]) -> None:
    marks: list[int] = []
    shapes: list[list[tuple[int, ...]]] = []
    kinds: list[str] = []
    written = 0
    with ExitStack() as stack:
        files: list[Any] = []
        for marked, outputs in answers:
            if not marks:
                kinds = [output.dtype.str for output in outputs]
                shapes = [[] for _ in outputs]
                files = [
                    stack.enter_context((folder / f"{number}.bin").open("wb"))
                    for number in range(len(outputs))
                ]
            marks.append(marked)
            for file, known, output in zip(files, shapes, outputs, strict=True):
                known.append(output.shape)
                written += file.write(output.tobytes())
            if written > _MOST_BYTES:
                break
    if not marks:
        raise NotEnoughSamples("There was no sample to answer.", "Give more samples: half of them calibrate.")
    index = json.dumps({"marks": marks, "kinds": kinds, "shapes": shapes})
    (folder / _INDEX).write_text(index, encoding="utf-8")


def _column(path: Path, kind: np.dtype[Any], shapes: list[list[int]]) -> list[Array]:
    """One output of all samples, as views of its file."""
    sizes = [math.prod(shape) for shape in shapes]
    whole = np.memmap(path, dtype=kind, mode="r") if any(sizes) else np.empty(0, dtype=kind)
    ends = itertools.accumulate(sizes)
    return [
        whole[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes, strict=True)
    ]
