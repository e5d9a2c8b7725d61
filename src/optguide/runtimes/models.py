"""What can be known about a model without loading it: whether it is there and of a kind that is read."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from optguide.errors import InputError, ModelError
from optguide.references import is_reference
from optguide.runtimes import named, runtime_classes

_POINTER = b"version https://git-lfs"
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt")


def formats() -> dict[str, str]:
    """Suffixes of the single files that some runtime reads, with what a file of that kind is called."""
    kinds = {suffix: title for runtime in runtime_classes() for suffix, title in runtime.formats.items()}
    return {suffix: title for suffix, title in kinds.items() if suffix}


def check_model(model: str, runtime: str, *, allow_pickle: bool) -> None:
    """Refuse what cannot work, before any process is started.

    :param model: path, or ``package.module:function`` for runtimes that read such references.
    :param allow_pickle: whether files may be read that can execute code.
    :raises ModelError: the model is missing, of no supported kind, or of a kind the runtime does not read.
    """
    path = Path(model)
    reader, _ = named(runtime)
    if reader.reads_references and is_reference(model):
        return
    if not path.exists():
        raise ModelError(f"There is no model {model!r}.", "Check the path.")
    if not os.access(path, os.R_OK):
        raise ModelError(f"{model} may not be read by this user.", "Change its permissions.")
    if path.is_dir():
        _check_folder(path)
    else:
        _check_file(path)
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix not in reader.formats:
        kinds = [kind or reader.formats[kind] for kind in reader.formats]
        if reader.reads_references:
            kinds.append("package.module:function")
        raise ModelError(
            f"The runtime {runtime} does not read {path.name}.", f"It takes {' or '.join(kinds)}."
        )
    if suffix == ".pt2" and not allow_pickle:
        raise ModelError(
            f"Reading {path.name} can execute code of its author, because torch.export.load unpickles.",
            "Pass --allow-pickle if you trust the author, or convert it to IR where it was made.",
        )


def check_inputs(files: tuple[str, ...], runtime: str) -> None:
    """Refuse input files that are missing or no ``.npz``.

    :raises InputError: with the first such file, or where the runtime cannot do without one.
    """
    named(runtime)[0].require_inputs(files)
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"There is no input file {file!r}.", "Check the path.")
        if not zipfile.is_zipfile(file):
            raise InputError(
                f"{file} is not an .npz file.", "Write it with numpy.savez(path, input_name=array)."
            )


def _remedy() -> str:
    kinds = ", ".join(f"{suffix} ({title})" for suffix, title in formats().items())
    return f"Use one of {kinds}, or the folder of a TensorFlow SavedModel."


def _check_folder(path: Path) -> None:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(
            f"The folder {path} holds no saved_model.pb, so it is no TensorFlow SavedModel.", _remedy()
        )


def _check_file(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise ModelError(
            f"Reading {path.name} would need unpickling, which can execute any code in it.",
            "Export the module with torch.export.save and pass the .pt2 file, or convert it to ONNX or IR.",
        )
    if path.name == "saved_model.pb":
        raise ModelError(f"{path} is a part of a SavedModel.", f"Pass its folder: {path.parent}.")
    if suffix == ".bin" and path.with_suffix(".xml").is_file():
        raise ModelError(f"{path.name} holds the weights of an IR.", f"Pass {path.with_suffix('.xml')}.")
    if suffix not in formats():
        cause = f"has the suffix {suffix}, which is" if suffix else "has no suffix, so it is"
        raise ModelError(f"{path.name} {cause} no supported model format.", _remedy())
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty.", "Write or copy the model again.")
    for part in (path, path.with_suffix(".bin")) if suffix == ".xml" else (path,):
        if part.is_file() and os.access(part, os.R_OK) and _is_pointer(part):
            raise ModelError(f"{part} is a pointer of Git LFS and not the file itself.", "Run: git lfs pull.")


def _is_pointer(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(len(_POINTER)) == _POINTER
