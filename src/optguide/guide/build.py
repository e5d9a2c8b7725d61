"""Measuring and building the guide: prepare everything, then run the examples, then show what there is.

``python -m optguide.guide.build`` is what ``nox -s docs`` runs. Its state is ``records/build.json``, beside
the records that belong to it, so that they are moved and replaced together:

1. The pages are built without numbers, so that there is something to read. Meanwhile
   :mod:`optguide.guide.preparation` makes everything that takes long and is not timed, on all cores.
2. The examples run, alone on the machine. In a full build the pages show each chapter when it is done; a
   quick one is over so soon that all examples run in one process and the pages are written once.

A build that is stopped at any point goes on with ``--resume``: an example is left out if it has been measured
by this build and neither its script nor the library nor the machine has changed. An example that fails is
named on the pages that miss its numbers, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from optguide.errors import Failure, OptGuideError
from optguide.guide import preparation
from optguide.guide.examples import Example, examples, select
from optguide.guide.profiles import PROFILES, name_of_minutes, named
from optguide.machine import Machine, measuring_lock
from optguide.paths import build_dir, records_dir, repository
from optguide.records.model import decode
from optguide.records.recording import BUILD_VARIABLE, PROFILE_VARIABLE
from optguide.storage import decode_json, encode_json, storage_errors, write_file

__all__ = ["EXAMPLES_VARIABLE", "BuildState", "failed", "finished", "is_current", "load_state", "running"]

EXAMPLES_VARIABLE = "OPTGUIDE_EXAMPLES"
"""Environment variable with the examples that Sphinx is to run, ``chapter/name`` with spaces between; it then
writes no pages."""

STATE_FILE = "build.json"  # not in a chapter's folder, where records are
_SCHEMA = 1
_REMEDY = "Start a new build: nox -s docs"


@dataclass(frozen=True)
class BuildState:
    """How far a build has come.

    :param build: identifier that all its records share.
    :param profile: name of its budgets.
    :param origin: digest of the library's code and of the machine with its packages.
    :param started: ISO 8601 time in UTC.
    :param running: the example that runs now; empty between examples.
    :param since: when it began, in seconds since the epoch.
    :param failed: example to the reason why it has no numbers.
    :param seconds: example to how long it ran, in this build or the one before.
    :param is_measured: every example has been measured or has failed.
    :param is_complete: the pages show that, too.
    """

    build: str
    profile: str
    origin: str
    started: str
    running: str = ""
    since: float = 0.0
    failed: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    is_measured: bool = False
    is_complete: bool = False
    schema: int = _SCHEMA


def load_state(records: Path | None = None) -> BuildState | None:
    """The state of the build that made some records; ``None`` where there is none.

    :param records: their folder, by default the one in place.
    :raises RecordsError: the file is corrupt.
    """
    path = (records or records_dir()) / STATE_FILE
    if not path.is_file():
        return None
    data = path.read_bytes()
    return decode_json(data, BuildState, kind="state of a build", file=path, schema=_SCHEMA, remedy=_REMEDY)


def running(example: str) -> None:
    """Note that ``example`` runs now, and say what is left. Does nothing outside a build."""
    state = load_state()
    if state is None:
        return
    _save(replace(state, running=example, since=time.time()))
    order = os.environ.get(EXAMPLES_VARIABLE, "").split()
    following = order[order.index(example) :] if example in order else [example]
    print(f"Measuring {example}{_left(state, following)}", flush=True)


def finished(example: str) -> None:
    """Note that ``example`` has run without an error."""
    state = load_state()
    if state is not None:
        failures = {name: reason for name, reason in state.failed.items() if name != example}
        seconds = {**state.seconds, example: round(time.time() - state.since, 1)}
        _save(replace(state, running="", failed=failures, seconds=seconds))


def failed(example: str, reason: str) -> None:
    """Note that ``example`` could not be measured, and why."""
    state = load_state()
    if state is not None:
        _save(replace(state, running="", failed={**state.failed, example: reason}))


def is_current(example: Example, state: BuildState) -> bool:
    """Whether this build has measured ``example`` as its script stands, and its page is complete.

    sphinx-gallery writes the checksum of the script, then the page: an older page is one without numbers.
    """
    record = records_dir() / f"{example.name}.json"
    checksum, page = _checksum(example), _page(example)
    try:
        if example.declares and decode(record.read_bytes(), record).build != state.build:
            return False
        script = example.script.read_text("utf-8").encode()
        is_of_script = checksum.read_text() == hashlib.md5(script, usedforsecurity=False).hexdigest()
        return is_of_script and page.stat().st_mtime_ns >= checksum.stat().st_mtime_ns
    except (OSError, OptGuideError):
        return False


def main(arguments: Sequence[str]) -> int:
    """Build the guide; the exit status is 1 where an example failed or the pages cannot be built."""
    parser = argparse.ArgumentParser(prog="nox -s docs --")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--profile", choices=tuple(PROFILES))
    budget.add_argument("--minutes", type=float, help="about how long sessions measure altogether")
    parser.add_argument("--resume", action="store_true", help="go on with a build that was stopped")
    parser.add_argument(
        "--pages", action="store_true", help="write the pages only, with the numbers there are"
    )
    parser.add_argument("examples", nargs="*", help="measure only these chapters or chapter/example again")
    options = parser.parse_args(arguments)
    try:
        profile = options.profile if options.minutes is None else name_of_minutes(options.minutes)
        if options.pages:
            _pages("--write-all")
            return 0
        with measuring_lock("nox -s docs", lend=True):  # the examples run the command
            _own_extensions()
            return _build(profile, options.examples, resume=options.resume)
    except OptGuideError as error:
        print(error, file=sys.stderr)
        return error.exit_status


def _build(profile: str | None, names: Sequence[str], *, resume: bool) -> int:
    existing = examples(_checkout() / "examples")
    chosen = select(existing, names)
    state = _begin(profile, goes_on=resume or bool(names))
    if not names:
        chosen = _not_current(existing, state)
    for name in chosen:
        _checksum(existing[name]).unlink(missing_ok=True)
        _page(existing[name]).unlink(missing_ok=True)  # a page that comes out the same is not written again
    _save(replace(state, failed={name: why for name, why in state.failed.items() if name not in chosen}))
    with ThreadPoolExecutor(1) as threads:  # nothing is timed yet, and Sphinx seldom uses every core
        early = threads.submit(_pages_without_numbers)
        early.add_done_callback(_say_failure)
        preparation.prepare([existing[name] for name in chosen], state.profile)
        early.result()
    by_chapter = named(state.profile).name == "full"
    groups = [
        list(group) for _, group in groupby(chosen, key=lambda name: by_chapter and existing[name].chapter)
    ]
    for group in groups:
        _measure(group, existing)
        if group is not groups[-1]:
            _sphinx(OPTGUIDE_PAGES_ONLY="1")  # what is wrong with a page is said at the end
    return _end(existing)


def _pages_without_numbers() -> None:
    """Write something to read where there is nothing yet."""
    # Sphinx writes both last: a build that was killed before has neither, and starts again.
    if not all((build_dir() / "html" / name).exists() for name in ("index.html", "searchindex.js")):
        _say("Building the pages, still without numbers.")
        _pages("--write-all", "-D", "ogp_image=none")  # cards are drawn once, with numbers


def _say_failure(pages: Future[None]) -> None:
    """Say at once that the pages cannot be built: what is being prepared meanwhile can take half an hour."""
    if error := pages.exception():
        _say(f"{error} The build ends with that when what is being made is there.")


def _own_extensions() -> None:
    """Give PyTorch a folder of this checkout for what it compiles.

    A compilation that is killed leaves a lock there for which every later process waits in vain. Here nobody
    else compiles, so that lock can go.
    """
    folder = build_dir() / "caches" / "torch_extensions"
    os.environ["TORCH_EXTENSIONS_DIR"] = str(folder)
    for lock in folder.rglob("lock"):
        lock.unlink(missing_ok=True)


def _begin(profile: str | None, *, goes_on: bool) -> BuildState:
    """The state to go on from, or a new one where nothing fits this library and this machine."""
    previous, origin = load_state(), _origin()
    if goes_on and previous is not None:
        profile = profile or previous.profile
        if (previous.profile, previous.origin) == (profile, origin):
            return previous
        _say("The profile, the library or the machine is another than before: numbers begin anew.")
    before = previous or _earlier_state()
    state = BuildState(
        uuid.uuid4().hex,
        profile or "full",
        origin,
        datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=before.seconds if before and before.profile == (profile or "full") else {},
    )
    with storage_errors(records_dir()):
        records_dir().mkdir(parents=True, exist_ok=True)
    _save(state)
    return state


def _measure(names: list[str], existing: Mapping[str, Example]) -> None:
    """Run examples in a process that may die, and go on behind the one that killed it."""
    while names:
        state = _current_state()
        settings = {BUILD_VARIABLE: state.build, PROFILE_VARIABLE: state.profile}
        status = _sphinx(**settings, **{EXAMPLES_VARIABLE: " ".join(names), "OPTGUIDE_PAGES_ONLY": "0"})
        state = _current_state()
        names = _missing(names, existing, state)
        if names and state.running not in names:
            raise Failure(f"The examples could not be run: Sphinx ended with status {status}.", _REMEDY)
        if names:
            ending = f"by signal {-status}" if status < 0 else f"with status {status}"
            failed(state.running, f"the process that ran it was ended {ending}")
            names.remove(state.running)


def _end(existing: Mapping[str, Example]) -> int:
    """Write every page, note whether the build is complete, say what failed, and return the exit status."""
    state = _current_state()
    missing = _missing(existing, existing, state)
    state = replace(state, is_measured=not missing)
    _save(state)
    _say("Building the pages.")
    _pages("--write-all")
    _save(replace(state, is_complete=not missing))
    for name, reason in state.failed.items():
        print(f"{name} has no numbers: {reason}", file=sys.stderr)
    if missing:
        _say(f"{len(missing)} examples are still to be measured: nox -s docs -- --resume")
    if state.failed:
        print("Measure what failed again: nox -s docs -- --resume", file=sys.stderr)
    return 1 if state.failed else 0


def _missing(names: Iterable[str], existing: Mapping[str, Example], state: BuildState) -> list[str]:
    """Those of ``names`` that have neither been measured by this build nor failed."""
    return [name for name in names if name not in state.failed and not is_current(existing[name], state)]


def _not_current(existing: Mapping[str, Example], state: BuildState) -> list[str]:
    """The examples that this build still has to measure, in order."""
    pending = {name for name, example in existing.items() if not is_current(example, state)}
    chapters = {name.split("/")[0] for name in pending}
    return [
        name
        for name, example in existing.items()
        if name in pending or (example.reads_records and example.chapter in chapters)
    ]


def _pages(*options: str) -> None:
    """Write the pages that show what has changed.

    :raises Failure: they cannot be built, or not without a warning.
    """
    strict = ("--nitpicky", "--fail-on-warning", "--keep-going", "--jobs", "auto")
    status = _sphinx(*strict, *options, OPTGUIDE_PAGES_ONLY="1")
    if status:
        raise Failure(f"The pages could not be built: Sphinx ended with status {status}.")


def _sphinx(*options: str, **environment: str) -> int:
    folders = ("-c", "conf", "-d", str(build_dir() / "doctrees"), "docs", str(build_dir() / "html"))
    command = (sys.executable, "-m", "sphinx", "--quiet", *options, *folders)
    return subprocess.run(command, cwd=_checkout(), env=os.environ | environment, check=False).returncode


def _left(state: BuildState, names: Sequence[str]) -> str:
    expected = [state.seconds[name] for name in names if name in state.seconds]
    if not expected:
        return ""
    minutes = sum(expected) / len(expected) * len(names) / 60
    return f", {len(names)} to go, about {minutes:.0f} min"


def _origin() -> str:
    """Digest of what decides the numbers beside the script: the library, the machine and its packages.

    What only shows numbers is no part of it.
    """
    library = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(library.rglob("*.py")):
        if file.parent.name not in ("sphinxext", "plots"):
            digest.update(str(file.relative_to(library)).encode() + file.read_bytes())
    machine = Machine.current()
    digest.update(repr((machine.machine_id, sorted(machine.packages.items()))).encode())
    return digest.hexdigest()


def _current_state() -> BuildState:
    state = load_state()
    if state is None:
        raise Failure("The state of this build has been removed while it ran.", _REMEDY)
    return state


def _earlier_state() -> BuildState | None:
    """The state of the build before, which ``nox -s docs`` has set aside."""
    try:
        return load_state(build_dir() / "previous" / "records")
    except (OSError, OptGuideError):
        return None


def _save(state: BuildState) -> None:
    write_file(records_dir() / STATE_FILE, encode_json(state))


def _page(example: Example) -> Path:
    return (_checkout() / "docs" / "gallery" / example.chapter / example.script.name).with_suffix(".rst")


def _checksum(example: Example) -> Path:
    return _page(example).with_suffix(".py.md5")


def _checkout() -> Path:
    root = repository()
    if root is None:
        raise Failure("The guide is built from its repository.", "Run it in a checkout.")
    return root


def _say(sentence: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
