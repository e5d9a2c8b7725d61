"""No process of the guide opens a connection, and third parties stay silent."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest

from optguide.quiet import quietly

# An audit hook sees every name lookup and connection of Python code, in forked children too, and refuses it.
PROGRAM = """
import os, sys, tempfile
from pathlib import Path

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{event} {arguments[0]}\\n")
        raise OSError("refused by the test")

sys.addaudithook(refuse)
def silence():
    from optguide.guide.workloads import no_telemetry
    no_telemetry()

moment = sys.argv[1]
if moment == "first":
    silence()

import numpy, openvino, nncf
from onnx import TensorProto, helper

value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8])
weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], numpy.eye(3, dtype="float32").ravel())
node = helper.make_node("Conv", ["x", "w"], ["y"])
graph = helper.make_graph([node], "g", [value("x")], [value("y")], [weights])
path = Path(os.environ["HOME"], "model.onnx")
path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString())

if moment == "late":
    silence()
model = openvino.convert_model(path)
nncf.quantize(model, nncf.Dataset([numpy.ones((1, 3, 8, 8), "float32")]), subset_size=1)
if moment == "first":
    from optguide.guide.workloads.minilm import build
    build()
"""


def attempts(moment: str, tmp_path) -> list[str]:
    log = tmp_path / "attempts"
    log.touch()
    environment = {
        k: v for k, v in os.environ.items() if k not in {"CI", "TF_BUILD", "JENKINS_URL", "NNCF_CI"}
    }
    # A home of its own: the user's consent file is neither read nor written.
    environment |= {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "ATTEMPTS": str(log)}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, moment], env=environment, check=True, capture_output=True, text=True
    )
    return log.read_text().splitlines()


def test_no_outbound_connection_and_nothing_in_the_home_folder(tmp_path):
    """Of OpenVINO and NNCF, nor where the encoder is loaded."""
    assert attempts("first", tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attempts", "model.onnx"]


def test_called_late_it_stops_what_follows(tmp_path):
    """Importing OpenVINO has sent its event; converting and quantizing add none."""
    assert len(attempts("late", tmp_path)) == 1


def test_without_it_there_are_attempts(tmp_path):
    """The two tests above can fail: this is what they would see."""
    assert len(attempts("never", tmp_path)) > 1


def test_quietly_drops_output_and_restores_it(capsys):
    level = logging.root.manager.disable
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quietly():
            print("out")
            print("err", file=sys.stderr)
            warnings.warn("warning", stacklevel=1)
            assert not logging.getLogger("anything").isEnabledFor(logging.WARNING)
            assert logging.getLogger("anything").isEnabledFor(logging.ERROR)
    print("after")
    assert capsys.readouterr() == ("after\n", "")
    assert caught == []
    assert logging.root.manager.disable == level


def test_quietly_lets_exceptions_through():
    level = logging.root.manager.disable
    with pytest.raises(ValueError, match="inside"), quietly():
        raise ValueError("inside")
    assert logging.root.manager.disable == level
