"""Commands measure in the process of the tests, or on a machine that exists in numbers only."""

import importlib
from functools import partial

import pytest

from optguide.bench import process
from optguide.bench.cold_start import first_inference
from optguide.bench.layers import layers
from optguide.bench.load import load_curves
from optguide.bench.session import measure
from tests import in_process
from tests.optimize.simulated import Machine

MEASURING = {
    "session": ("measure", measure),
    "load": ("load_curves", load_curves),
    "first_inference": ("measure_starts", first_inference),
    "profile": ("layers", layers),
}
"""Module of a command to the name by which it calls a measurement, and that measurement."""


class FailingMachine(Machine):
    """Inferences take ``seconds``, and variants named in ``failing`` cannot be loaded."""

    def __init__(self):
        super().__init__(self.cost_of, load=0.1)
        self.seconds, self.failing = 0.004, {}

    def cost_of(self, variant):
        if variant.name in self.failing:
            raise self.failing[variant.name]
        return self.seconds


def measure_on(host, patch):
    """Let commands measure on a host."""
    for module, (name, function) in MEASURING.items():
        place = importlib.import_module(f"optguide.cli.{module}")
        patch.setattr(place, name, partial(function, host=host))


@pytest.fixture(autouse=True)
def here(request, monkeypatch):
    """Start no process for a model, unless a test asks for ``processes``."""
    if "processes" not in request.fixturenames:
        measure_on(in_process.HERE, monkeypatch)
        monkeypatch.setattr(process, "call", in_process.call)
        monkeypatch.setattr("optguide.optimize.prepared.WorkerProcess", in_process.WorkerHere)


@pytest.fixture
def processes():
    """Models in processes of their own, as commands have them."""


@pytest.fixture
def simulated(here, monkeypatch):
    """Let commands measure on a simulated machine, and return it."""
    machine = FailingMachine()
    measure_on(machine.host, monkeypatch)
    return machine
