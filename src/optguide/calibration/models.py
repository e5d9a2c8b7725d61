"""Models that NNCF can quantize, and those that it refuses or spoils."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal

from optguide.errors import ModelError

__all__ = ["kind_of", "quantizable"]

QUANTIZERS = ("FakeQuantize", "FakeConvert")
MULTIPLYING = frozenset(
    {
        "Convolution",
        "ConvolutionBackpropData",
        "DeformableConvolution",
        "GroupConvolution",
        "GroupConvolutionBackpropData",
        "GRUSequence",
        "If",  # NNCF quantizes inside its branches
        "LSTMSequence",
        "MatMul",
    }
)
"""Types of operations that compute in 8 bits. NNCF quantizes a lone sum or mean too, without a gain."""

_COMPRESSED = ("i8", "u8", "i4", "u4", "u2", "nf4", "f8e4m3", "f8e5m2", "f4e2m1")
_TORCH_QUANTIZERS = ("nncf.torch.quantization.", "torch.ao.")
_AGAIN = "Start from the model as it was before."


def quantizable(model: object) -> None:
    """Refuse a model that ``nncf.quantize`` cannot quantize, or would spoil.

    :param model: an ``openvino.Model`` or a ``torch.nn.Module``.
    :raises ModelError: another object, a model that is quantized or compressed already, or one without a
        layer that computes with weights.
    """
    if kind_of(model) == "torch":
        _quantizable_module(model)
    else:
        _quantizable_graph(model)


def kind_of(model: object) -> Literal["openvino", "torch"]:
    """Which of the two kinds ``model`` is; only what made it can have been imported."""
    openvino, torch = sys.modules.get("openvino"), sys.modules.get("torch")
    if openvino is not None and isinstance(model, openvino.Model):
        return "openvino"
    if torch is not None and isinstance(model, torch.nn.Module):
        return "torch"
    name = f"{type(model).__module__}.{type(model).__qualname__}".removeprefix("builtins.")
    if isinstance(model, str | os.PathLike):
        raise ModelError(
            f"{os.fspath(model)!r} is the path of a model and not a model.",
            "Read it with openvino.Core().read_model(path).",
        )
    if openvino is not None and isinstance(model, openvino.CompiledModel):
        raise ModelError(
            "A compiled model cannot be quantized any more.", "Pass the openvino.Model that was compiled."
        )
    raise ModelError(
        f"An object of type {name} cannot be quantized.",
        "Pass an openvino.Model or a torch.nn.Module; openvino.convert_model and read_model make the former "
        "from other frameworks and from ONNX.",
    )


def _quantizable_graph(model: Any) -> None:
    types = {op.get_type_name() for op in model.get_ops()}
    if found := types.intersection(QUANTIZERS):
        raise ModelError(f"The model is quantized already: it has {min(found)} operations.", _AGAIN)
    if any(_compressed(op) for op in model.get_ops()):
        raise ModelError("The weights of the model are compressed to integers already.", _AGAIN)
    if not types & MULTIPLYING:
        raise ModelError(
            "The model has no convolution, matrix multiplication or recurrent layer to quantize.",
            "Leave it as it is: there is nothing in it that 8 bits would make faster.",
        )


def _compressed(op: Any) -> bool:
    """Whether ``op`` holds weights that are decompressed as the model runs."""
    if op.get_type_name() != "Constant" or op.get_element_type().get_type_name() not in _COMPRESSED:
        return False
    users = (user.get_node().get_type_name() for user in op.output(0).get_target_inputs())
    return len(op.get_output_shape(0)) > 1 and "Convert" in users


def _quantizable_module(model: Any) -> None:
    torch = sys.modules["torch"]
    if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
        raise ModelError(
            "A module that went through torch.jit or torch.compile cannot be quantized.",
            "Pass the module that it was made from.",
        )
    if isinstance(model, torch.nn.Sequential):
        raise ModelError(
            "NNCF cannot take a torch.nn.Sequential as the outermost module: it would run NNCF's own part of "
            "the model as one more layer.",
            "Wrap it in a module whose forward() calls it.",
        )
    if any(type(part).__module__.startswith(_TORCH_QUANTIZERS) for part in model.modules()):
        raise ModelError("The module is quantized or compressed already.", _AGAIN)
    weights = (*model.parameters(), *model.buffers())
    if not any(weight.ndim > 1 and weight.is_floating_point() for weight in weights):
        raise ModelError(
            "The module has no layer with weights to quantize.",
            "Leave it as it is: there is nothing in it that 8 bits would make faster.",
        )
