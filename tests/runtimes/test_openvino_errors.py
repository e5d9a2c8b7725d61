from pathlib import Path

import openvino
import pytest

from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.errors import DeviceError, Failure, ModelError, PropertyError
from optguide.runtimes.openvino_errors import (
    failed_running,
    not_compiled,
    not_read,
    refuse_absent,
    refuse_unknown,
    telling_line,
)
from tests.in_process import HERE

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


def test_a_limit_of_the_process_is_no_fault_of_the_device(core):
    error = RuntimeError("Exception from a.cpp:1:\nResource temporarily unavailable")
    refusal = not_compiled(core, "CPU", {}, error)
    assert type(refusal) is Failure
    assert "ulimit" in refusal.remedy


@pytest.mark.parametrize(
    ("device", "config", "kind", "said"),
    [
        ("CPU", {}, ModelError, "CPU cannot compile the model: The layer is odd."),
        ("CPU", {"NUM_STREAMS": "1"}, ModelError, "CPU cannot compile"),
        ("CPU", {"NUM_STREAMS": "1", "PERF_COUNT": "maybe"}, PropertyError, "does not take PERF_COUNT=maybe"),
        ("AUTO:CPU", {"ENABLE_RUNTIME_FALLBACK": "maybe"}, PropertyError, "ENABLE_RUNTIME_FALLBACK=maybe"),
        ("HETERO:CPU", {"MODEL_DISTRIBUTION_POLICY": "x"}, PropertyError, "MODEL_DISTRIBUTION_POLICY=x"),
        ("BATCH:CPU(4)", {}, ModelError, "BATCH:CPU(4) cannot compile the model"),
        ("BATCH:CPU(x)", {}, DeviceError, "the batch in brackets is no number."),
        ("BATCH:CPU(0)", {}, DeviceError, "Batch value for 'CPU' must be > 0"),
        ("MULTI", {}, DeviceError, "MULTI needs a device to work on."),
        ("AUTO:MULTI", {}, DeviceError, "There is no way to use 'AUTO:MULTI' here"),
        ("CPU.3", {"NUM_STREAMS": "1"}, DeviceError, "There is no way to use 'CPU.3' here"),
    ],
)
def test_who_is_to_blame(core, device, config, kind, said):
    error = not_compiled(core, device, config, REFUSED)
    assert type(error) is kind
    assert said in error.message


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("XPU.1", "There is no device 'XPU.1' here; OpenVINO finds"),
        ("AUTO:CPU,XPU(2)", "There is no device 'XPU' here, which AUTO:CPU,XPU(2) asks for; OpenVINO finds"),
        ("HETERO:XPU,CPU", "which HETERO:XPU,CPU asks for"),
        ("FOO:CPU", "There is no device 'FOO' here"),
    ],
)
def test_a_device_that_is_not_there_is_named(core, device, said):
    with pytest.raises(DeviceError, match="CPU") as refused:
        refuse_absent(core, device)
    assert said in refused.value.message


@pytest.mark.parametrize("device", ["CPU", "AUTO", "AUTO:CPU", "AUTO:-XPU", "HETERO:CPU", "BATCH:CPU(4)"])
def test_what_is_there_is_not_refused(core, device):
    refuse_absent(core, device)


def test_a_combination_with_an_unknown_device_costs_the_other_rows_nothing(ir, inputs):
    """OpenVINO itself compiles the second for the CPU alone and says nothing."""
    plain = Variant("CPU", model=ir, inputs=(inputs,))
    rows = [
        plain,
        plain.with_("AUTO:CPU,XPU", device="AUTO:CPU,XPU"),
        plain.with_("refused property", device="MULTI:CPU", properties={"ENABLE_STARTUP_FALLBACK": "NO"}),
        plain.with_("AUTO:CPU", device="AUTO:CPU", properties={"ENABLE_STARTUP_FALLBACK": "NO"}),
    ]
    result = measure(rows, Budget(0.3, block=0.01, patience=60.0), host=HERE)
    assert list(result.series) == ["CPU", "AUTO:CPU"]
    assert result.compare("CPU", "AUTO:CPU").ratio.n >= 3  # sets of processes, or six rounds of one
    assert result.series["AUTO:CPU"].effective["INFERENCE_NUM_THREADS"].isdecimal()
    unknown, refused = result.failures["AUTO:CPU,XPU"], result.failures["refused property"]
    assert isinstance(unknown, DeviceError)
    assert "'XPU'" in unknown.message
    assert isinstance(refused, PropertyError)
    assert "ENABLE_STARTUP_FALLBACK" in refused.message


def test_an_accelerator_that_fails_while_running_is_blamed_by_name():
    assert failed_running("CPU", REFUSED) is REFUSED
    lost = failed_running("HETERO:GPU,CPU", REFUSED)
    assert isinstance(lost, DeviceError)
    assert lost.message == "HETERO:GPU,CPU failed while it ran the model: The layer is odd."


def test_virtual_devices_take_what_the_real_ones_know(core):
    refuse_unknown(core, "AUTO:CPU", {"INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": "folder"})
    refuse_unknown(core, "CPU", {"NO_SUCH_THING": "1"})  # compiling says it
    for device, key in (("AUTO:CPU", "NO_SUCH_THING"), ("MULTI:CPU", "ENABLE_RUNTIME_FALLBACK")):
        with pytest.raises(PropertyError, match=key):
            refuse_unknown(core, device, {key: "1"})
