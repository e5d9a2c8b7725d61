"""The table that translates POT's configuration names what the installed NNCF has."""

from __future__ import annotations

import inspect
import re
from functools import reduce
from pathlib import Path

import pytest

from optguide.guide.workloads import no_telemetry

PAGE = Path(__file__).parents[2] / "docs" / "optimize" / "pot-and-nncf.md"


@pytest.fixture(scope="module")
def modules():
    no_telemetry()
    nncf = pytest.importorskip("nncf")
    from nncf.quantization import advanced_parameters, range_estimator

    return nncf, range_estimator, advanced_parameters


def _rows():
    """POT's side and NNCF's side of each row."""
    table = PAGE.read_text("utf-8").partition("| POT | NNCF |")[2].partition("\n\n")[0]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()[2:]]


def _code(text):
    return " ".join(re.findall("`([^`]*)`", text))


def test_every_row_names_something_of_both():
    rows = _rows()
    assert len(rows) > 20
    assert all(_code(pot) and _code(nncf) for pot, nncf in rows)


def test_names_exist(modules):
    code = _code(" ".join(row[1] for row in _rows()))
    names = set(re.findall(r"(?<![\w\"])((?:nncf\.)?[A-Z]\w+(?:\.[A-Z_]+)?|nncf\.[a-z_]+)", code))
    names -= {"False", "True", "Add"}
    assert {"nncf.TargetDevice.CPU", "StatisticsType.QUANTILE", "nncf.quantize"} <= names
    nncf, *others = modules
    for name in names:
        owners = [nncf] if name.startswith("nncf.") else others
        parts = name.removeprefix("nncf.").split(".")
        assert any(hasattr(owner, parts[0]) for owner in owners), name
        owner = next(owner for owner in owners if hasattr(owner, parts[0]))
        reduce(getattr, parts, owner)


def test_arguments_exist(modules):
    nncf, ranges, advanced = modules
    takers = [
        nncf.quantize,
        nncf.quantize_with_accuracy_control,
        nncf.IgnoredScope,
        nncf.AdvancedQuantizationParameters,
        nncf.AdvancedAccuracyRestorerParameters,
        ranges.RangeEstimatorParameters,
        ranges.StatisticsCollectorParameters,
        advanced.QuantizationParameters,
    ]
    known = {name for taker in takers for name in inspect.signature(taker).parameters}
    used = set(re.findall(r"(\w+)=", _code(" ".join(row[1] for row in _rows()))))
    assert used - known == set()
    assert len(used) > 15
