"""From an ``nn.Module`` to IR and ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino
    import torch


def to_ir(
    module: torch.nn.Module, example: Mapping[str, torch.Tensor], *, output: str, dynamic: bool = False
) -> openvino.Model:
    """Convert ``module``, with the shapes of ``example`` or with every dimension ``dynamic``.

    :param example: inputs by name, in the order of the module's arguments.
    :param output: name of the output.
    """
    import openvino

    def shape(tensor: torch.Tensor) -> list[int]:
        return [-1] * tensor.ndim if dynamic else list(tensor.shape)

    model = openvino.convert_model(
        module,
        example_input=dict(example),
        input=[(name, shape(tensor)) for name, tensor in example.items()],
    )
    model.output(0).get_tensor().set_names({output})
    return model


def save_ir(model: openvino.Model, path: Path) -> None:
    """Write ``model`` with its weights as they are.

    ``save_model`` halves weights to 16 bits by default. Comparing frameworks at 32 bits needs the same
    weights everywhere, and the plugin converts to the inference precision anyway.
    """
    import openvino

    openvino.save_model(model, path, compress_to_fp16=False)


def to_onnx(module: torch.nn.Module, example: Mapping[str, torch.Tensor], path: Path, *, output: str) -> None:
    """Export ``module`` with the shapes of ``example`` as one ONNX file.

    :param output: name of the output, different from every name within the network: the exporter does not
        rename an inner value of the same name, and ONNX Runtime then rejects the file.
    """
    import torch

    torch.onnx.export(
        module,
        tuple(example.values()),
        path,
        input_names=list(example),
        output_names=[output],
        dynamo=True,  # the other exporter is deprecated
        opset_version=18,  # what this exporter writes natively; others go through a version converter
        external_data=False,
        verbose=False,
    )
