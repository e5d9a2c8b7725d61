"""PyTorch modules that a function of the user's returns, and their conversion."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from optguide.errors import EnvironmentMissing, InputError, ModelError, described
from optguide.optimize.candidate import Settings
from optguide.quiet import quietly
from optguide.references import called

_RETURN = (
    "Return (module, example_inputs), the latter a tensor, a tuple of tensors, or a dict of them by name."
)
_Sizes = dict[str, list[int]]


def converted(settings: Settings) -> tuple[Any, bool]:
    """The module of ``settings.model`` as an ``openvino.Model``.

    The function returns an ``nn.Module``, whose inputs are then 32-bit floats of ``settings.shapes``; or
    ``(module, example_inputs)``; or ``(module, example_inputs, shapes)`` with a shape by input name in which
    -1 is a size that varies. Otherwise the model takes the shapes of the examples.

    :return: the model, and whether the module takes the same inputs by position.
    :raises ModelError: the function does not exist, raises or returns something else; conversion fails.
    """
    try:
        import torch
    except ImportError as error:
        raise EnvironmentMissing(
            "PyTorch is not installed.", 'Run: pip install "optguide[frameworks]".'
        ) from error
    module, example, shapes = _unpacked(torch, called(settings.model, ModelError), settings)
    if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
        raise ModelError(
            f"{settings.model} returned a module that went through torch.jit or torch.compile.",
            "Return the module that it was made from.",
        )
    module.eval()
    named = _named(torch, module, example, settings.model)
    _try(torch, module, named, settings.model)
    return _convert(module, named, shapes, settings.model), _positional(module, named)


def _unpacked(torch: Any, returned: Any, settings: Settings) -> tuple[Any, Any, _Sizes]:
    """Module, example inputs and shapes in what the function returned."""
    module, *extras = returned if isinstance(returned, tuple) and returned else (returned,)
    if not isinstance(module, torch.nn.Module) or len(extras) > 2:
        description = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else _type(returned)
        raise ModelError(
            f"{settings.model} returned {description} and no torch.nn.Module with its example inputs.",
            _RETURN,
        )
    if extras:
        return module, extras[0], _sizes(extras[1] if len(extras) == 2 else {}, settings.model)
    if not settings.shapes:
        raise ModelError(
            f"{settings.model} returned a module alone, which does not say what inputs it takes.",
            f"{_RETURN} For 32-bit floats, --shape NAME=1,3,224,224 for each argument of forward() does too.",
        )
    generator = torch.Generator().manual_seed(settings.seed)
    return (
        module,
        {name: torch.rand(shape, generator=generator) for name, shape in settings.shapes.items()},
        {},
    )


def _sizes(shapes: Any, reference: str) -> _Sizes:
    try:
        return {str(name): [int(size) for size in sizes] for name, sizes in dict(shapes).items()}
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The shapes that {reference} returned are no mapping from input names to sizes.",
            'Return them like {"input_ids": (1, -1)}.',
        ) from error


def _named(torch: Any, module: Any, example: Any, reference: str) -> dict[str, Any]:
    """Tensors by argument of ``forward``, in its order."""
    if isinstance(example, Mapping):
        arguments: tuple[Any, ...] = ()
        keywords = {str(name): _tensor(torch, part, str(name), reference) for name, part in example.items()}
    else:
        parts = tuple(example) if isinstance(example, tuple | list) else (example,)
        keywords = {}
        arguments = tuple(_tensor(torch, part, str(index), reference) for index, part in enumerate(parts))
    try:
        bound = inspect.signature(module.forward).bind(*arguments, **keywords)
    except TypeError as error:
        raise ModelError(
            f"The example inputs that {reference} returned do not fit forward(): {error}.", _RETURN
        ) from error
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if isinstance(value, dict):  # **kwargs
            named |= value
        elif isinstance(value, tuple):  # *args
            named |= {f"{name}{index}": part for index, part in enumerate(value)}
        else:
            named[name] = value
    if not named:
        raise ModelError(f"{reference} returned no example inputs.", _RETURN)
    return named


def _tensor(torch: Any, part: Any, name: str, reference: str) -> Any:
    if isinstance(part, torch.Tensor):
        return part
    if isinstance(part, np.ndarray) and part.dtype.kind in "fiub":
        return torch.from_numpy(np.ascontiguousarray(part))
    raise ModelError(
        f"Example input {name} that {reference} returned is {_type(part)} and no tensor.", _RETURN
    )


def _try(torch: Any, module: Any, named: Mapping[str, Any], reference: str) -> None:
    """Run the module once: its own error says more than that of a failed conversion."""
    is_named = _parameters(module).issuperset(named)
    try:
        with quietly(), torch.inference_mode():
            module(**named) if is_named else module(*named.values())
    except Exception as error:
        raise ModelError(
            f"The module of {reference} does not take its example inputs: {described(error)}.",
            "Return inputs that it runs with.",
        ) from error


def _convert(module: Any, named: Mapping[str, Any], shapes: _Sizes, reference: str) -> Any:
    import openvino

    if unknown := sorted(set(shapes) - set(named)):
        raise InputError(
            f"{reference} gives a shape for {unknown[0]!r}, and the inputs are {', '.join(named)}.",
            "Use their names.",
        )
    sizes = {name: shapes.get(name, list(tensor.shape)) for name, tensor in named.items()}
    # Converting for a fixed batch writes it into reshapes within the graph, where no batch can be set later.
    open_batch = {name: [-1, *size[1:]] for name, size in sizes.items() if size}
    is_named = _parameters(module).issuperset(named)  # *args have no names of their own
    try:
        with quietly():
            model = openvino.convert_model(
                module,
                example_input=dict(named) if is_named else tuple(named.values()),
                input=[(name, open_batch.get(name, [])) for name in sizes] if is_named else None,
            )
        model.reshape(dict(zip(model.inputs, map(openvino.PartialShape, sizes.values()), strict=True)))
    except Exception as error:  # tracing runs the module's own code
        raise ModelError(
            f"OpenVINO cannot convert the module of {reference}: {described(error.__cause__ or error)}.",
            "Return one tensor or a tuple of tensors from forward(), or export the module to ONNX.",
        ) from error
    return model


def _parameters(module: Any) -> set[str]:
    return set(inspect.signature(module.forward).parameters)


def _positional(module: Any, named: Mapping[str, Any]) -> bool:
    """Whether the inputs are the first arguments of ``forward``, so that a runner can pass them in order."""
    parameters = inspect.signature(module.forward).parameters
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters.values()):
        return True
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    by_position = [name for name, parameter in parameters.items() if parameter.kind is not keyword_only]
    return list(named) == by_position[: len(named)]


def _type(value: Any) -> str:
    return f"an object of type {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
