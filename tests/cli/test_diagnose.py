"""``optguide diagnose``: what it is asked, what it prints; what is measured has tests of its own."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from optguide.bench.variant import Variant
from optguide.diagnose import Diagnosis, Finding, Remark
from optguide.diagnose.checks import CHECKS, IDLE, PRECISION
from optguide.diagnose.diagnosis import Effect
from optguide.diagnose.inspections import INSPECTIONS
from optguide.paths import repository
from optguide.stats.estimate import Estimate
from tests.cli.json_shapes import golden, keys

GAIN = Effect("Do it.", "latency", Estimate(1.9, 1.8, 2.0, "ratio", 6))


@pytest.fixture
def asked(monkeypatch):
    """What the command asks for, with one finding, one fine and one open question as the answer."""
    calls = []

    def diagnose(variant, seconds, **options):
        calls.append((variant, options))
        remarks = (Remark(PRECISION, "All is well."), Remark(PRECISION, "Too short.", decided=False))
        return Diagnosis(variant, (Finding(IDLE, "Facts.", GAIN, ("Or that.",)),), remarks, ("Doubt.",))

    monkeypatch.setattr(importlib.import_module("optguide.cli.diagnose"), "run_diagnosis", diagnose)
    return calls


def test_symptom_evidence_gain_remedy_and_page_are_printed(optguide, asked, ir):
    shown = optguide("diagnose", ir)
    assert shown.status == 0
    for text in (IDLE.title, "Facts.", "Do: Do it.", GAIN.text, IDLE.page):
        assert text in shown.out
    assert shown.out.index("Too short.") < shown.out.index("All is well.")
    assert "Warning: Doubt." in shown.err


def test_json_has_all_of_it(optguide, asked, ir):
    data = json.loads(optguide("diagnose", ir, "--json").out)
    assert keys(data) == golden("diagnose")
    assert data["findings"][0]["symptom"] == IDLE.title


def test_the_loop_copies_unless_the_reader_says_otherwise(optguide, asked, ir):
    optguide("diagnose", ir)
    optguide("diagnose", ir, "--feed", "preset")
    assert [variant.openvino.feed for variant, _ in asked] == ["copied", "preset"]


def test_several_shapes_of_one_input_are_sizes_in_turn(optguide, asked, dynamic_ir):
    optguide("diagnose", dynamic_ir, "--shape", "x=1,16", "--shape", "x=4,16")
    ((variant, options),) = asked
    assert options["sizes"] == ({"x": (1, 16)}, {"x": (4, 16)})
    assert not variant.openvino.shapes


def test_a_single_shape_is_that_of_the_model(optguide, asked, dynamic_ir):
    optguide("diagnose", dynamic_ir, "--shape", "x=4,16", "--quota", "0.5", "--cores", "1")
    ((variant, options),) = asked
    assert (options["sizes"], variant.openvino.shapes) == ((), {"x": (4, 16)})
    assert (variant.quota, variant.cores) == (0.5, 1)


def test_data_are_inputs_and_a_loop_that_prepares_them(optguide, asked, ir, tmp_path):
    np.savez(tmp_path / "samples.npz", x=np.ones((8, 16), np.float32))
    shown = optguide("diagnose", ir, "--data", tmp_path / "samples.npz")
    assert shown.status == 0, shown.err
    ((variant, options),) = asked
    assert len(variant.inputs) == 8
    assert isinstance(options["prepared"], Variant)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--budget", "0s"), "'0s' is no time at all"),
        (
            ("--shape", "x=1,16", "--shape", "x=2,16", "--shape", "y=1", "--shape", "y=2", "--shape", "y=3"),
            "number",
        ),
        (("--inputs", "{inputs}", "--data", "{inputs}"), "--inputs and --data both give inputs"),
        (("--quota", "-1"), "A quota of -1 cores runs nothing"),
        (("--set", "NO_SUCH_PROPERTY=1", "--budget", "20s"), "NO_SUCH_PROPERTY"),
    ],
)
def test_a_call_that_has_to_change(optguide, ir, inputs, arguments, complaint):
    shown = optguide("diagnose", ir, *(text.format(inputs=inputs) for text in arguments))
    assert shown.status == 2
    assert complaint in shown.err


def test_another_release_is_refused_before_it_is_installed(optguide, ir, asked, monkeypatch):
    monkeypatch.setattr("optguide.cli.variants.release", lambda *_: pytest.fail("it would be installed"))
    shown = optguide("diagnose", f"{ir}@openvino=2025.4")
    assert shown.status == 2
    assert "diagnose looks at the OpenVINO that is installed here. Leave out openvino=" in shown.err
    assert not asked


def test_every_symptom_is_a_heading_of_my_model_is_slow_and_has_its_page():
    docs = repository(Path(__file__)) / "docs"
    headings = [line[3:] for line in (docs / "slow.md").read_text().splitlines() if line.startswith("## ")]
    for symptom in {check.symptom for check in (*CHECKS, *INSPECTIONS)}:
        assert symptom.title in headings
        assert (docs / f"{symptom.page}.md").exists()


@pytest.mark.usefixtures("processes")
def test_a_small_model_from_end_to_end(optguide, ir):
    shown = optguide("diagnose", ir, "--feed", "preset", "--budget", "8s", "--json")
    assert shown.status == 0, shown.err
    data = json.loads(shown.out)
    assert {"fine", "open", "findings"} <= data.keys()
    entries = [*data["fine"], *data["open"], *data["findings"]]
    assert len(entries) >= len(CHECKS) + len(INSPECTIONS) - 1  # how inputs are prepared is asked with --data
