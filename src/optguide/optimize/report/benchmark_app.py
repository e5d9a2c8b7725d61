"""The ``benchmark_app`` command that measures the winner a second time, with another tool.

Where both say the same, the speed is not an artefact of this one. What that tool does differently, and
what it cannot be told, goes with the command as notes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from optguide.optimize.candidate import Candidate, Deployment
from optguide.optimize.report.deploy import properties
from optguide.optimize.report.winner import MODEL, Inputs

__all__ = ["CONFIGURATION", "Check", "check"]

CONFIGURATION = "benchmark_app.json"
"""File of properties for ``-load_config``."""


@dataclass(frozen=True)
class Check:
    """A command, to be run where the model is.

    :param arguments: without the name of the tool.
    :param configuration: what :data:`CONFIGURATION` has to hold; empty where the command does not read it.
    :param notes: sentences about what the tool does differently.
    """

    arguments: tuple[str, ...]
    configuration: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The command for a shell."""
        return shlex.join(["benchmark_app", *self.arguments])


def check(candidate: Candidate, *, device: str, inputs: Inputs, seconds: int = 10) -> Check:
    """The command for ``candidate``.

    :param seconds: measuring time; the tool takes whole seconds only.
    """
    deployment = candidate.deployment
    several = len(inputs.dynamic) > 1
    configuration = _configuration(candidate, device)
    arguments = ["-m", MODEL, "-d", device, "-hint", "none" if _tuned(deployment) else _hint(deployment)]
    if configuration:
        arguments += ["-load_config", CONFIGURATION]
    if deployment.streams is not None:
        arguments += ["-nstreams", str(deployment.streams)]
    if deployment.threads is not None:
        arguments += ["-nthreads", str(deployment.threads)]
    if "INFERENCE_PRECISION_HINT" in properties(candidate):
        arguments += ["-infer_precision", properties(candidate)["INFERENCE_PRECISION_HINT"]]
    arguments += _in_flight(deployment.requests, several=several)
    if inputs.filled:
        arguments += ["-data_shape", _data_shape(inputs)]
    # By default the tool fills the inputs once; an application, and this report, hand them over every time.
    arguments += ["-inference_only", "false", "-t", str(seconds)]
    return Check(tuple(arguments), configuration, tuple(_notes(deployment, several=several)))


def _tuned(deployment: Deployment) -> bool:
    """Whether the tool takes the setting only with ``-hint none``."""
    return deployment.streams is not None or deployment.threads is not None


def _hint(deployment: Deployment) -> str:
    return deployment.hint.lower() if deployment.hint else "none"


def _configuration(candidate: Candidate, device: str) -> dict[str, dict[str, str]]:
    """A hint beside streams or threads, which OpenVINO takes together and the tool's options do not."""
    deployment = candidate.deployment
    if not (deployment.hint and _tuned(deployment)):
        return {}
    return {device.partition(":")[0]: {"PERFORMANCE_HINT": deployment.hint}}


def _in_flight(requests: int | None, *, several: bool) -> list[str]:
    if requests is None:  # one call after another, which the tool does with one shape only
        return ["-api", "async", "-nireq", "1"] if several else ["-api", "sync"]
    return ["-api", "async", *(["-nireq", str(requests)] if requests else [])]


def _data_shape(inputs: Inputs) -> str:
    """``ids[1,12][1,20],mask[1,12][1,20]``; the tool needs no name where there is one input."""
    sets = inputs.dynamic or (inputs.filled,)
    alone = len(inputs.ports) == 1
    return ",".join(
        ("" if alone else name) + "".join(f"[{','.join(map(str, shapes[name]))}]" for shapes in sets)
        for name in inputs.filled
    )


def _notes(deployment: Deployment, *, several: bool) -> Iterator[str]:
    yield "It fills inputs with random numbers."
    if several and deployment.requests is None:
        yield "Where shapes vary it has no synchronous mode; one request in flight stands for it."
    if deployment.hint and deployment.requests:
        yield (
            "With a hint, -nireq also tells the device how many requests to expect, and that can change the "
            "number of streams."
        )
