"""Real models: only the published files are accepted, and each model does what it was trained for."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import openvino
import pytest

from optguide.errors import EnvironmentMissing, ModelError
from optguide.guide.workloads.packaged import PackagedFile, digest
from optguide.guide.workloads.packaged_evaluation import correct, data
from optguide.guide.workloads.packaged_tasks import SILERO, SILERO_TWO_RATES, TASKS

REQUIREMENTS = Path(__file__).parents[3] / "conf" / "requirements" / "packaged.txt"

every_task = pytest.mark.parametrize("name", TASKS)


def file(**changes):
    known = {"distribution": "pillow", "version": metadata.version("pillow"), "pattern": "PIL/__init__.py"}
    return PackagedFile(**{**known, "sha256": "0" * 64, **changes})


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it():
    with pytest.raises(EnvironmentMissing, match="no-such-package is not installed") as caught:
        file(distribution="no-such-package", version="1.2").locate()
    assert caught.value.remedy == "Run: pip install --no-deps --force-reinstall no-such-package==1.2"


def test_another_version_is_refused():
    with pytest.raises(EnvironmentMissing, match=r"in version .* instead of 0\.1") as caught:
        file(version="0.1").locate()
    assert "pillow==0.1" in caught.value.remedy


@pytest.mark.parametrize("pattern", ["PIL/__init__.py", "PIL/no_such_file.onnx"])
def test_another_file_is_refused(pattern):
    with pytest.raises(ModelError, match="pillow is not what was published") as caught:
        file(pattern=pattern).locate()
    assert "pip install" in caught.value.remedy


def test_versions_are_those_that_are_installed_for_the_guide():
    pinned = dict(
        line.split("==") for line in REQUIREMENTS.read_text().splitlines() if line and line[0] != "#"
    )
    files = [SILERO, SILERO_TWO_RATES, *(file for task in TASKS.values() for file in task.files)]
    assert {file.distribution: file.version for file in files} == pinned


@every_task
def test_data_are_the_same_each_time_and_calibration_has_others(name):
    task = TASKS[name]
    labelled = task.data(24, 0)
    assert digest(labelled) == digest(task.data(24, 0))
    assert len(labelled.inputs) == len(labelled.labels) == 24
    calibration = {sample.tobytes() for sample in task.data(24, 1).inputs}
    assert calibration.isdisjoint(sample.tobytes() for sample in labelled.inputs)


@every_task
def test_the_model_knows_its_task(name):
    model = TASKS[name].workload().ir
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = TASKS[name].answers(compiled, data(name, 20).inputs)
    assert correct(name, answers).mean() > 0.6  # guessing is right in less than one of twenty
    assert correct(name, [None] * 20).sum() == 0


def test_crops_say_which_photograph_they_are_of():
    crops = data("photos", 50)
    assert len(set(crops.groups)) == 20
    assert len({(group, label) for group, label in zip(crops.groups, crops.labels, strict=True)}) == 20


def test_numbers_that_are_not_finite_are_no_answers(save_ir, tmp_path):
    path = save_ir(tmp_path / "nan.xml", [1, 4], lambda ops, x: ops.log(x))
    compiled = openvino.Core().compile_model(path, "CPU")
    samples = [-np.ones((1, 4), np.float32), np.array([[1, 1, 5, 1]], np.float32)]
    assert TASKS["tones"].answers(compiled, samples) == [None, 2]
