import shlex

import pytest

from optguide.bench.variant import Variant
from optguide.cli.variants import build, parse
from optguide.guide.unavailable import command, measurable
from optguide.runtimes.openvino import OpenVINO

CUMULATIVE = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT", "ENABLE_STARTUP_FALLBACK": "NO"}
ROWS = {
    "cpu": Variant("CPU"),
    "gpu": Variant("GPU", runtime=OpenVINO(device="GPU")),
    "both": Variant("both", runtime=OpenVINO(device="AUTO:GPU,CPU", properties=CUMULATIVE, requests=0)),
    "all": Variant("all", runtime=OpenVINO(device="AUTO:GPU,NPU,CPU", requests=4)),
    "npu": Variant("NPU", runtime=OpenVINO(device="NPU", requests=None)),
    "queue": Variant("queue", runtime=OpenVINO(device="NPU", requests=0)),
    "latency": Variant("latency", runtime=OpenVINO(device="NPU", properties={"PERFORMANCE_HINT": "LATENCY"})),
}


@pytest.mark.parametrize(
    ("available", "parts"),
    [
        (["CPU"], ["cpu"]),
        (["CPU", "GPU"], ["cpu", "gpu", "both"]),
        (["CPU", "GPU.0", "GPU.1"], ["cpu", "gpu", "both"]),
        (["CPU", "NPU"], ["cpu", "npu", "queue", "latency"]),
        (["CPU", "GPU", "NPU"], list(ROWS)),
    ],
)
def test_a_machine_measures_the_rows_it_has_devices_for(available, parts):
    here, reasons = measurable(ROWS, available)
    assert here == {part: ROWS[part] for part in parts}
    assert set(reasons) == set(ROWS) - set(parts)


def test_a_reason_names_what_is_missing_and_the_command():
    _, reasons = measurable(ROWS, ["CPU"])
    assert reasons["gpu"] == (
        "this machine has no GPU; where there is one: optguide compare model.xml @device=GPU"
    )
    assert "no GPU and NPU;" in reasons["all"]
    assert reasons["both"].endswith("@device=AUTO:GPU,CPU,hint=cumulative,ENABLE_STARTUP_FALLBACK=NO")


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_the_command_measures_the_row(row, ir):
    """It goes through the command's own parser, with a model of this test."""
    program, verb, model, *variants = shlex.split(command(row))
    assert (program, verb, model) == ("optguide", "compare", "model.xml")
    plain, written = build(parse([str(ir), *variants]), {}, allow_pickle=False)
    assert plain.openvino.device == "CPU"
    assert (written.openvino.device, written.openvino.properties, written.openvino.requests) == (
        row.openvino.device,
        row.openvino.properties,
        row.openvino.requests,
    )
