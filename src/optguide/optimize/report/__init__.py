"""The outcome of a run as files: a page, JSON, and the winner ready to deploy.

::

    decision       what the page says first
    race           every candidate as a row
    figures        the page's figures
    facts          model, machine, settings
    words          numbers, times and limits as text
    page           all of it as report.html
    as_json        report.json
    winner         model.xml with the winner's batch, and its inputs
    deploy         deploy.py and the lines to copy
    benchmark_app  the command that checks the winner with another tool
    templates/     of the page and of deploy.py
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from optguide.errors import OptGuideError, StorageError
from optguide.optimize.outcome import Outcome, Standing
from optguide.optimize.report import as_json, benchmark_app, deploy, facts, winner
from optguide.optimize.report.decision import winner_of
from optguide.optimize.report.page import Deployed, page
from optguide.storage import storage_errors

__all__ = ["Written", "write"]

MODEL, WEIGHTS, SCRIPT = winner.MODEL, "model.bin", "deploy.py"


@dataclass(frozen=True)
class Written:
    """A report on disk.

    :param outcome: what was given, with what went wrong in writing it.
    :param files: the page first.
    :param check: the ``benchmark_app`` command that checks the winner, to be run in the folder; empty where
        there is no model to run.
    """

    outcome: Outcome
    files: tuple[Path, ...]
    check: str = ""


def write(outcome: Outcome, folder: Path, *, model: Path | None, inputs: tuple[str, ...] = ()) -> Written:
    """Write the report of ``outcome`` into ``folder``; each file is replaced in one step.

    A winner whose model cannot be written costs the files to deploy it, and the report says so.

    :param model: IR of the winner's precision; ``None`` where there is none.
    :param inputs: the ``.npz`` files the winner was measured with.
    :raises StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    standing = winner_of(outcome)
    deployed: Deployed | None = None
    files: list[Path] = []
    if standing is not None and model is not None:
        try:
            deployed, files = _deploy(outcome, standing, folder, model, inputs)
        except StorageError:
            raise
        except OptGuideError as error:
            outcome = _with_error(outcome, f"The winner's model could not be written: {error}")
    report = _replace(folder / "report.json", as_json.encode(outcome))
    html = page(outcome, out=f"{folder.name}-again", deployed=deployed)
    check = deployed.check.line if deployed is not None else ""
    for left_over in {MODEL, WEIGHTS, SCRIPT, benchmark_app.CONFIGURATION} - {file.name for file in files}:
        (folder / left_over).unlink(missing_ok=True)  # of an earlier winner
    return Written(outcome, (_replace(folder / "report.html", _bytes(html)), report, *files), check)


def _deploy(
    outcome: Outcome, standing: Standing, folder: Path, model: Path, inputs: tuple[str, ...]
) -> tuple[Deployed, list[Path]]:
    """Everything that runs the winner."""
    candidate, device = standing.candidate, outcome.settings.device
    ports = winner.place(model, folder, candidate.deployment.batch)
    files = [folder / MODEL, folder / WEIGHTS]
    size = sum(file.stat().st_size for file in files)
    given = winner.read_inputs(inputs, folder, ports)
    script = deploy.script(
        candidate,
        model=outcome.subject.name,
        device=device,
        machine=facts.machine_line(outcome.machine),
        inputs=given,
    )
    files.append(_replace(folder / SCRIPT, _bytes(script)))
    check = benchmark_app.check(candidate, device=device, inputs=given)
    if check.configuration:
        content = json.dumps(check.configuration, indent=1) + "\n"
        files.append(_replace(folder / benchmark_app.CONFIGURATION, _bytes(content)))
    return Deployed(given, check, size), files


def _with_error(outcome: Outcome, sentence: str) -> Outcome:
    return replace(outcome, errors=(*outcome.errors, sentence))


def _bytes(text: str) -> bytes:
    """UTF-8; what a file name on disk has that is no text becomes a question mark."""
    return text.encode("utf-8", errors="replace")


def _replace(path: Path, content: bytes) -> Path:
    """Write beside ``path`` and rename, so that a reader sees the old file or the new one."""
    draft = path.with_name(f".{path.name}.part")
    with storage_errors(path.parent):
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return path
