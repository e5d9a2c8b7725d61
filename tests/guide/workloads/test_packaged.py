"""Real models: only the published files are accepted, and each model does what it was trained for."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import openvino
import pytest

from optguide.errors import EnvironmentMissing, ModelError, OutputError
from optguide.guide.workloads.packaged import PackagedFile, digest
from optguide.guide.workloads.packaged_tasks import TASKS

REQUIREMENTS = Path(__file__).parents[3] / "conf" / "requirements" / "packaged.txt"

every_task = pytest.mark.parametrize("name", TASKS)


def file(**changes):
    known = {"distribution": "pillow", "version": metadata.version("pillow"), "path": "PIL/__init__.py"}
    return PackagedFile(**{**known, "sha256": "0" * 64, **changes})


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it():
    with pytest.raises(EnvironmentMissing, match="no-such-package is not installed") as caught:
        file(distribution="no-such-package", version="1.2").locate()
    assert caught.value.remedy == "Run: pip install --no-deps --force-reinstall no-such-package==1.2"


def test_another_version_is_refused():
    with pytest.raises(EnvironmentMissing, match=r"in version .* instead of 0\.1") as caught:
        file(version="0.1").locate()
    assert "pillow==0.1" in caught.value.remedy


@pytest.mark.parametrize("path", ["PIL/__init__.py", "PIL/no_such_file.onnx"])
def test_another_file_is_refused(path):
    with pytest.raises(ModelError, match="is not the published file of pillow") as caught:
        file(path=path).locate()
    assert "pip install" in caught.value.remedy


def test_versions_are_those_that_are_installed_for_the_guide():
    pinned = dict(
        line.split("==") for line in REQUIREMENTS.read_text().splitlines() if line and line[0] != "#"
    )
    files = [file for task in TASKS.values() for file in task.files]
    assert {file.distribution: file.version for file in files} == pinned


@every_task
def test_data_are_the_same_each_time_and_parts_differ(name):
    task = TASKS[name]
    labelled = task.data(12, 0)
    assert digest(labelled) == digest(task.data(12, 0))
    assert digest(labelled) != digest(task.data(12, 1))
    assert len(labelled.inputs) == len(labelled.labels) == 12


@every_task
def test_the_model_knows_its_task(name, models_of_guide):
    task = TASKS[name]
    labelled = task.data(20, 0)
    compiled = openvino.Core().compile_model(
        task.workload().ir, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    right = task.correct(task.answers(compiled, labelled.inputs), labelled.labels)
    assert right.mean() > 0.5  # guessing is right in less than one of ten


def test_numbers_that_are_not_finite_are_no_answers(save_ir, tmp_path):
    path = save_ir(tmp_path / "nan.xml", [1, 4], lambda ops, x: ops.log(x))
    compiled = openvino.Core().compile_model(path, "CPU")
    with pytest.raises(OutputError, match="not finite"):
        TASKS["tones"].answers(compiled, [-np.ones((1, 4), np.float32)])
