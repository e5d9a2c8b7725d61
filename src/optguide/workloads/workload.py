"""One running model as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Workload"]


@dataclass(frozen=True)
class Workload:
    """A model in the formats it exists in, and inputs that fit all of them.

    :param name: short identifier, part of file names and result ids.
    :param title: what tables and figures call it.
    :param ir: OpenVINO IR with 32-bit weights (integers where the model is quantized).
    :param inputs: ``.npz`` with one set of named inputs, in the order of the model's arguments.
    :param description: one sentence for readers.
    :param onnx: the same network as ONNX, ``None`` where it is not needed.
    :param torch: ``package.module:function`` that returns the same network as an ``nn.Module``, which takes
        the inputs as positional tensors and returns one tensor; empty where there is none.
    :param savedmodel: folder of the same network as a TensorFlow SavedModel.
    """

    name: str
    title: str
    ir: Path
    inputs: Path
    description: str
    onnx: Path | None = None
    torch: str = ""
    savedmodel: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of the workload."""
        single = [self.ir, self.ir.with_suffix(".bin"), self.inputs, *filter(None, [self.onnx])]
        folder = self.savedmodel.rglob("*") if self.savedmodel else ()
        return (*single, *(path for path in sorted(folder) if path.is_file()))
