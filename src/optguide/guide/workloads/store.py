"""Files that are expensive to make, made once: ``build/models/<name>-<hash>/``.

The hash covers everything that shapes the files, so a changed builder or another version of a package leads
to a new folder and a path that exists is always current. A folder appears under its name only when it is
complete: it is built beside its place and renamed.

One running model as plain data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from optguide.errors import EnvironmentMissing
from optguide.paths import build_dir
from optguide.quiet import no_telemetry, quietly
from optguide.storage import atomic_folder, storage_errors

__all__ = ["Recipe", "Workload", "ensure", "key", "version"]


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


REMEDY = "Free some space there, or set OPTGUIDE_BUILD to another folder."


@dataclass(frozen=True)
class Recipe:
    """How one folder of files is made, and all that its content depends on.

    :param name: beginning of the folder's name.
    :param make: writes the files into the folder it is given.
    :param sources: Python files whose text decides the result, the builder's own first.
    :param packages: distributions whose version decides the result.
    :param ingredients: anything else that does: the seed, the key of another recipe, the checksum of a file.
    """

    name: str
    make: Callable[[Path], None]
    sources: tuple[Path, ...]
    packages: tuple[str, ...]
    ingredients: tuple[str, ...] = ()


def version(package: str) -> str:
    """The installed version of ``package``.

    :raises EnvironmentMissing: it is not installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise EnvironmentMissing(
            f"The package {package} is not installed.", 'Run: pip install "optguide[frameworks,models]"'
        ) from None


def key(recipe: Recipe) -> str:
    """Name of the recipe's folder.

    :raises EnvironmentMissing: a package of the recipe is not installed.
    """
    identity = {
        "sources": [source.read_text(encoding="utf-8") for source in recipe.sources],
        "packages": {package: version(package) for package in recipe.packages},
        "ingredients": recipe.ingredients,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"{recipe.name}-{digest[:12]}"


def ensure(recipe: Recipe) -> Path:
    """The recipe's folder, built first where it does not exist yet.

    Another process that builds the same folder is waited for. Telemetry is off from here on.

    :raises EnvironmentMissing: a package of the recipe is not installed.
    :raises StorageError: the files cannot be written.
    """
    no_telemetry()
    models = build_dir() / "models"
    final = models / key(recipe)
    if final.is_dir():
        return final
    with storage_errors(models, REMEDY):
        models.mkdir(parents=True, exist_ok=True)
        # The system drops the lock of a process that dies, so a draft that is left there is a dead build.
        with FileLock(models / f".{final.name}.lock"):
            if not final.is_dir():
                with atomic_folder(final, REMEDY) as folder, quietly():
                    recipe.make(folder)
    return final
