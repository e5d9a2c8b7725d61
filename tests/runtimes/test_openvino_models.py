"""Outputs in the order of their inputs, and no lock-up when a model is dropped right afterwards."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset

from optguide.runtimes.openvino_models import infer_all


def _doubling():
    numbers = opset.parameter([-1], np.float32, name="numbers")
    return ov.Model([opset.add(numbers, numbers)], [numbers])


@pytest.mark.parametrize("hint", ["LATENCY", "THROUGHPUT"])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_outputs_come_in_the_order_of_their_inputs(hint, count):
    compiled = ov.Core().compile_model(_doubling(), "CPU", {"PERFORMANCE_HINT": hint})
    inputs = [{0: np.full(index % 7 + 1, index, np.float32)} for index in range(count)]
    assert [output.tolist() for (output,) in infer_all(compiled, inputs)] == [
        (2 * one[0]).tolist() for one in inputs
    ]


def test_a_failed_inference_is_raised():
    compiled = ov.Core().compile_model(_doubling(), "CPU")
    with pytest.raises(RuntimeError):
        list(infer_all(compiled, [{0: np.zeros((2, 2), np.float32)}]))


def test_models_can_be_dropped_at_once():
    code = (
        "import numpy as np, openvino as ov\n"
        "from optguide.runtimes.openvino_models import infer_all\n"
        "from tests.runtimes.test_openvino_models import _doubling\n"
        "core, model = ov.Core(), _doubling()\n"
        "for _ in range(200):\n"
        "    compiled = core.compile_model(model, 'CPU', {'PERFORMANCE_HINT': 'THROUGHPUT'})\n"
        "    list(infer_all(compiled, [{0: np.ones(3, np.float32)}] * 8))\n"
        "    del compiled\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
