import pytest

from optguide.runtimes.devices import absent, named


@pytest.mark.parametrize(
    ("combination", "devices"),
    [
        ("CPU", ("CPU",)),
        ("GPU.1", ("GPU.1",)),
        ("AUTO", ()),
        ("AUTO:", ()),
        ("AUTO:GPU,CPU", ("GPU", "CPU")),
        ("AUTO:-GPU", ()),
        ("AUTO:-GPU,CPU", ("CPU",)),
        ("MULTI:GPU.0(4),CPU(2)", ("GPU.0", "CPU")),
        ("HETERO:AUTO,CPU", ("CPU",)),
        ("BATCH:GPU(16)", ("GPU",)),
        ("MYDEVICE:CPU", ("MYDEVICE", "CPU")),
    ],
)
def test_devices_in_a_name(combination, devices):
    assert named(combination) == devices


@pytest.mark.parametrize(
    ("combination", "available", "missing"),
    [
        ("AUTO:GPU,CPU", ["CPU"], ("GPU",)),
        ("AUTO:GPU,CPU", ["CPU", "GPU"], ()),
        ("AUTO:GPU,CPU", ["CPU", "GPU.0", "GPU.1"], ()),
        ("HETERO:GPU.0,CPU", ["CPU", "GPU"], ()),  # OpenVINO takes GPU and GPU.0 for the same
        ("AUTO:GPU,NPU,CPU", ["CPU"], ("GPU", "NPU")),
        ("NPU", ["CPU", "GPU"], ("NPU",)),
        ("AUTO", ["CPU"], ()),
    ],
)
def test_devices_that_a_machine_lacks(combination, available, missing):
    assert absent(combination, available) == missing
