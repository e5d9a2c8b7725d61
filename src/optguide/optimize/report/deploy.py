"""The winner as code to copy: ``deploy.py`` and the few lines of it that the page shows."""

from __future__ import annotations

from optguide.optimize.candidate import Candidate
from optguide.optimize.report.templates import environment
from optguide.optimize.report.winner import MODEL, Inputs

__all__ = ["properties", "script", "snippet"]


def properties(candidate: Candidate) -> dict[str, str]:
    """All OpenVINO properties of a candidate, the inference precision among them."""
    pinned = {"INFERENCE_PRECISION_HINT": "f32"} if candidate.precision == "f32" else {}
    return candidate.deployment.properties | pinned


def script(candidate: Candidate, *, model: str, device: str, machine: str, inputs: Inputs) -> str:
    """``deploy.py``: it needs ``openvino`` and ``numpy``, and the model beside it.

    :param model: the reader's name of the model; never trusted.
    :param machine: where the candidate was fastest, in one line.
    """
    return _render("deploy.py.jinja", candidate, device, model=model, machine=machine, shapes=inputs.filled)


def snippet(candidate: Candidate, *, device: str) -> str:
    """The lines that an application needs, which time and print nothing."""
    return _render("snippet.py.jinja", candidate, device)


def _render(template: str, candidate: Candidate, device: str, **more: object) -> str:
    text: str = (
        environment()
        .get_template(template)
        .render(
            candidate=candidate,
            file=MODEL,
            device=device,
            properties=properties(candidate),
            requests=candidate.deployment.requests,
            **more,
        )
    )
    return text
