"""A deployment on a machine that exists in numbers only; see :mod:`tests.optimize.simulated`."""

from functools import partial

from optguide.bench.rotation import Host
from optguide.bench.variant import Variant
from optguide.diagnose.run import diagnose
from optguide.runtimes.openvino import OpenVINO
from tests.optimize import simulated

FACTS = {
    "default_precision": "f32",
    "input_bytes": 1000,
    "largest": {"x": [1, 16]},
    "dynamic": False,
    "varied": False,
    "quantizers": 0,
    "stateful": False,
}


class Worker(simulated.SimulatedWorker):
    """Tells facts besides what sessions ask for."""

    facts = FACTS
    memory = 1
    private = 1

    def load(self, slot=0):
        reply = super().load(slot)
        return reply | {"stages": {"import": 0.1, "read": 0.1, "compile": self.machine.load}}

    def _memory(self):
        return {"peak_rss": self.memory, "private": self.private}

    def _call(self, **_):
        return dict(self.facts)


def diagnosis(
    cost,
    effective,
    seconds=60.0,
    *,
    facts=None,
    seed=0,
    memory=1,
    private=1,
    model="model.xml",
    inputs=(),
    **settings,
):
    """The diagnosis of a deployment whose calls cost so many seconds.

    :param cost: of a variant's runtime settings.
    :param effective: properties as the device resolves those settings.
    :param facts: in place of :data:`FACTS`.
    :param memory: bytes that every process takes.
    :param private: bytes of them that belong to no file; ``None`` where the system does not tell.
    """

    def resolved(runtime):
        return effective(runtime) if isinstance(runtime, OpenVINO) else {}

    machine = simulated.Machine(
        lambda variant: cost(variant.runtime),
        effective=lambda variant: {"VARIANT": variant.name, **resolved(variant.runtime)},
        load=0.2,
        seed=seed,
    )
    worker = type("Worker", (Worker,), {"facts": FACTS | (facts or {}), "memory": memory, "private": private})
    host = Host(partial(worker, machine), machine.clock, machine.host.held, machine.host.meter, lanes=1)
    variant = Variant("model", model=model, runtime=OpenVINO(**settings), inputs=inputs)
    return diagnose(variant, seconds, host=host), machine
