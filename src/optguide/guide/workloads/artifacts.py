"""Files that are expensive to make, made once: ``build/models/<name>-<hash>/``.

The hash covers everything that shapes the files, so a changed builder or another version of a package leads
to a new folder and a path that exists is always current. A folder appears under its name only when it is
complete: it is built beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock

from optguide.errors import EnvironmentMissing, Failure, OptionError
from optguide.guide.workloads.fingerprint import fingerprint
from optguide.paths import build_dir, impersonal, shown
from optguide.quiet import no_telemetry, quietly
from optguide.storage import atomic_folder, storage_errors


@dataclass(frozen=True)
class Workload:
    """A model in the formats it exists in, and inputs that fit all of them.

    :param name: short identifier, part of file names and result ids.
    :param title: its name in tables and figures.
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


_REMEDY = "Free some space there, or set OPTGUIDE_BUILD to another folder."


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


_used: set[Path] = set()


def used() -> frozenset[Path]:
    """The folders that this process has asked for, made now or before."""
    return frozenset(_used)


def package_folder(package: str, *, distribution: str) -> Path:
    """The folder of an installed ``package``, which is not imported: that can take seconds.

    :raises EnvironmentMissing: ``distribution``, which brings it, is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise _not_installed(distribution)
    return Path(spec.submodule_search_locations[0])


def _not_installed(distribution: str) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"The package {distribution} is not installed.", 'Run: pip install "optguide[frameworks,models]"'
    )


def version(distribution: str) -> str:
    """The installed version of ``distribution``.

    :raises EnvironmentMissing: it is not installed.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        raise _not_installed(distribution) from None


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
    _used.add(final)
    if final.is_dir():
        return final
    with storage_errors(models, _REMEDY):
        models.mkdir(parents=True, exist_ok=True)
        # The system drops the lock of a process that dies, so a draft that is left there is a dead build.
        with FileLock(models / f".{final.name}.lock"):
            if not final.is_dir():
                with atomic_folder(final, _REMEDY) as folder, quietly():
                    recipe.make(folder)
    return final


PACKAGES = ("torch", "nncf", "openvino", "numpy", "scikit-learn")
"""Distributions whose versions decide what an example's training or conversion gives."""


def cached_artifact(
    function: Callable[..., object], /, *, packages: tuple[str, ...] = PACKAGES, **arguments: Any
) -> Path:
    """The folder that ``function(folder, **arguments)`` has filled, now or in an earlier run.

    It is called again when its code changes, or what that code refers to: other functions, classes and
    constants of the script, modules of the guide, the arguments, the versions of packages. Comments,
    docstrings and the rest of the script do not matter. What it prints is dropped; when it fails or is
    interrupted nothing stays.

    :param function: writes files into the folder it is given; a ``def`` in a file.
    :param packages: distributions whose versions decide the result.
    :param arguments: plain data that JSON can hold.
    :raises OptionError: arguments or constants that are no plain data, or no function written with ``def``.
    :raises EnvironmentMissing: one of ``packages`` is not installed.
    :raises Failure: the function wrote nothing.
    :raises StorageError: the files cannot be written.
    """
    recipe = _recipe(function, packages, arguments)
    folder = build_dir() / "models" / key(recipe)
    if not folder.is_dir():
        call = ", ".join([function.__name__, *(f"{name}={value}" for name, value in arguments.items())])
        print(f"Making {impersonal(call)}: once, then kept as {shown(folder)}", file=sys.stderr, flush=True)
    return ensure(recipe)


def cross_validated(function: Callable[..., object], /, *, folds: int, **arguments: Any) -> list[Path]:
    """The folders of ``function(folder, fold=0, ...)``, of fold 1 and so on.

    Raises what :func:`cached_artifact` raises.

    :param folds: how many parts of a cross-validation to train or convert for.
    """
    return [cached_artifact(function, fold=fold, **arguments) for fold in range(folds)]


def _recipe(function: Callable[..., object], packages: tuple[str, ...], arguments: dict[str, Any]) -> Recipe:
    dependencies = fingerprint(function)
    inspect.signature(function).bind(Path(), **arguments)  # a wrong argument also fails when nothing is to do
    parts = {
        "definitions": dependencies.definitions,
        "constants": dependencies.constants,
        "arguments": _plain(arguments),
    }
    identity = impersonal(json.dumps(parts, sort_keys=True))  # the same in every checkout
    return Recipe(
        function.__name__.strip("_").replace("_", "-"),
        lambda folder: _fill(function, folder, arguments),
        sources=tuple(file for _, file in sorted(dependencies.modules.items())),
        packages=packages,
        ingredients=(identity,),
    )


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """``arguments``, each of which JSON can hold."""
    for name, value in arguments.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"The argument {name} is a {type(value).__name__} that JSON cannot hold.",
                "Pass numbers, texts, and lists or dictionaries of them.",
            ) from error
    return arguments


def _fill(function: Callable[..., object], folder: Path, arguments: dict[str, Any]) -> None:
    function(folder, **arguments)
    if not any(folder.iterdir()):
        raise Failure(
            f"{function.__name__} has written nothing into its folder.", "Save its result below the folder."
        )
