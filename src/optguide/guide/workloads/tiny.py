"""A network so small that everything around inference shows."""

from __future__ import annotations

from pathlib import Path

from optguide.guide.workloads import export
from optguide.guide.workloads.artifacts import Recipe, Workload, ensure

_SEED = 4
_WIDTH = 256
_LAYERS = 4


def tiny() -> Workload:
    """Four dense layers of 256 units with ReLU: about 50 µs per inference on one server core.

    :raises StorageError: the files cannot be written.
    """
    folder = ensure(
        Recipe(
            "tiny",
            _make,
            sources=(Path(__file__), Path(export.__file__)),
            packages=("openvino", "numpy"),
            ingredients=(f"seed {_SEED}",),
        )
    )
    return Workload(
        name="tiny",
        title="Tiny network",
        description="Four dense layers of 256 units, random weights, one vector.",
        ir=folder / "model.xml",
        inputs=folder / "inputs.npz",
    )


def _make(folder: Path) -> None:
    import numpy as np
    import openvino
    from openvino import opset13 as ops

    random = np.random.default_rng(_SEED)
    x = ops.parameter([1, _WIDTH], np.float32, name="x")
    hidden = x
    for _ in range(_LAYERS):
        weights = random.standard_normal((_WIDTH, _WIDTH)) * (2 / _WIDTH) ** 0.5  # keeps the variance
        constant = ops.constant(weights.astype(np.float32))
        hidden = ops.relu(ops.matmul(hidden, constant, transpose_a=False, transpose_b=False))
    model = openvino.Model([hidden], [x], "tiny")
    model.input(0).get_tensor().set_names({"x"})
    model.output(0).get_tensor().set_names({"y"})
    export.save_ir(model, folder / "model.xml")
    np.savez(folder / "inputs.npz", x=random.standard_normal((1, _WIDTH)).astype(np.float32))
