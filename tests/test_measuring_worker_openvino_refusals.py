from pathlib import Path

import openvino
import pytest

from optguide.errors import DeviceError, ModelError, PropertyError
from optguide.measuring.worker.openvino_refusals import not_compiled, not_read, refuse_unknown, telling_line

REFUSED = RuntimeError("Exception from src/plugin.cpp:12:\nCheck 'x' failed at y:\nThe layer is odd\n")


@pytest.fixture(scope="module")
def core():
    return openvino.Core()


def test_the_telling_line_is_a_sentence_without_source_locations():
    assert telling_line(REFUSED) == "The layer is odd."
    assert telling_line(RuntimeError("Exception from a.cpp:1:")) == "Exception from a.cpp:1:."
    assert telling_line(ValueError()) == "ValueError."


def test_a_file_that_no_reader_takes():
    unable = RuntimeError("Exception from core.cpp:1:\nUnable to read the model: m.onnx Please check ...")
    assert str(not_read(Path("a/m.onnx"), unable)) == (
        "m.onnx cannot be read: it is corrupt or in another format. Check that the file is complete."
    )
    assert ".bin beside" in not_read(Path("m.xml"), unable).remedy


@pytest.mark.parametrize(
    ("device", "config", "kind", "said"),
    [
        ("CPU", {}, ModelError, "CPU cannot compile the model: The layer is odd."),
        ("CPU", {"NUM_STREAMS": "1"}, ModelError, "CPU cannot compile"),
        ("CPU", {"NUM_STREAMS": "1", "PERF_COUNT": "maybe"}, PropertyError, "does not take PERF_COUNT=maybe"),
        ("XPU.1", {"NUM_STREAMS": "abc"}, DeviceError, "There is no device 'XPU.1' here"),
        ("AUTO:CPU,XPU(2)", {}, DeviceError, "There is no device 'XPU' here"),
    ],
)
def test_who_is_to_blame(core, device, config, kind, said):
    error = not_compiled(core, device, config, REFUSED)
    assert type(error) is kind
    assert said in error.message


def test_virtual_devices_take_what_the_real_ones_know(core):
    refuse_unknown(core, "AUTO:CPU", {"INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": "folder"})
    refuse_unknown(core, "CPU", {"NO_SUCH_THING": "1"})  # compiling says it
    with pytest.raises(PropertyError, match="NO_SUCH_THING"):
        refuse_unknown(core, "AUTO:CPU", {"NO_SUCH_THING": "1"})
