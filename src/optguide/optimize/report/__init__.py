"""The outcome of a run as files: a page, JSON, and the winner ready to deploy.

::

    page        all of it as report.html
    decision    what the page says first, and every candidate as a row
    figures     the page's figures
    deploy      the winner's model, deploy.py, and the command that checks it with benchmark_app
    text        numbers and times as the page writes them, and its templates
    recorded    the outcome as results of the guide
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from optguide.errors import OptGuideError, StorageError
from optguide.machine import Machine
from optguide.optimize.outcome import SCHEMA, Decision, Outcome, State
from optguide.optimize.report import deploy
from optguide.optimize.report.decision import winner_of
from optguide.optimize.report.page import page
from optguide.storage import decode_json, encode_json, storage_errors, write_file

__all__ = ["WrittenReport", "encode_report", "read_report", "write_report"]

PAGE, DATA = "report.html", "report.json"


@dataclass(frozen=True)
class WrittenReport:
    """A report on disk.

    :param outcome: with what went wrong in writing it.
    :param files: the page first.
    :param check: the ``benchmark_app`` command that checks the winner, to be run in the folder; empty where
        there is no model to run.
    """

    outcome: Outcome
    files: tuple[Path, ...]
    check: str = ""


def read_report(file: Path) -> Outcome:
    """The outcome in a ``report.json``, without loss.

    An estimate whose interval has no end on one side is written with ``null`` there, and that is read back as
    an open end; ``docs/reference/report.md`` describes every field.

    :raises RecordsError: corrupt data or another schema.
    """
    read = partial(
        decode_json,
        file.read_bytes(),
        kind="report",
        file=file.name,
        schema=SCHEMA,
        remedy="Run `optguide optimize` again to write it anew.",
        nonfinite=True,
    )
    return Outcome(read(State), read(Decision))


def encode_report(outcome: Outcome) -> bytes:
    """``report.json``: state and decision beside each other, without what only a resumed run needs."""
    content = msgspec.to_builtins(outcome.state) | msgspec.to_builtins(outcome.decision)
    del content["resumption"]
    return encode_json(content) + b"\n"


def write_report(
    outcome: Outcome, folder: Path, *, model: Path | None, inputs: tuple[str, ...] = ()
) -> WrittenReport:
    """Write the report of ``outcome`` into ``folder``; each file is replaced in one step.

    A winner whose model cannot be written costs the files to deploy it, and the report says so.

    :param model: IR of the winner's precision; ``None`` where there is none.
    :param inputs: the ``.npz`` files the winner was measured with.
    :raises StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    standing = winner_of(outcome)
    deployed: deploy.DeployedFiles | None = None
    if standing is not None and model is not None:
        try:
            deployed = deploy.write_files(
                standing.candidate,
                folder,
                model=model,
                inputs=inputs,
                device=outcome.state.settings.device,
                name=outcome.state.subject.name,
                machine=Machine.from_dict(outcome.state.machine).summary(),
            )
        except StorageError:
            raise
        except OptGuideError as error:
            sentence = f"The winner's model could not be written: {error}"
            state = replace(outcome.state, errors=(*outcome.state.errors, sentence))
            outcome = replace(outcome, state=state)
    data = write_file(folder / DATA, encode_report(outcome))
    # A file name on disk may hold bytes that are no text; they become question marks.
    html = page(outcome, out=f"{folder.name}-again", deployed=deployed).encode("utf-8", errors="replace")
    files = deployed.files if deployed is not None else ()
    for name in set(deploy.FILES) - {file.name for file in files}:
        (folder / name).unlink(missing_ok=True)  # of an earlier winner
    check = deployed.check.line if deployed is not None else ""
    return WrittenReport(outcome, (write_file(folder / PAGE, html), data, *files), check)
