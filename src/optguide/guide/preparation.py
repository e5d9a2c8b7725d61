"""Everything that is trained, quantized, converted or installed, made before anything is timed.

Each target declares what it needs. `doit <https://pydoit.org>`_ orders them, makes them on all cores, each in
a process of its own, and leaves out what has been made from the same inputs. There are three kinds: isolated
environments, the guide's own models (:mod:`optguide.guide.workloads`), and what an example's script makes
before it begins to record. A target that fails is left to the example, which says what it lacks.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

from optguide.bench.worker import die_with_parent
from optguide.errors import Failure, OptGuideError, StorageError, described
from optguide.guide import environments, workloads
from optguide.guide.examples import Example, preparing_part
from optguide.guide.profiles import named
from optguide.guide.workloads import artifacts, retrieval
from optguide.guide.workloads.digits import FOLDS
from optguide.guide.workloads.packaged_tasks import TASKS
from optguide.paths import build_dir, impersonal
from optguide.records.recording import PROFILE_VARIABLE
from optguide.storage import storage_errors

__all__ = ["prepare"]

_SERVER = get_context("forkserver") if sys.platform == "linux" else get_context("spawn")
"""Starts a process for each target, on Linux forked from one that has imported what takes seconds to import.

Elsewhere libraries do not survive a fork once they are loaded.
"""
_SERVER.set_forkserver_preload([__name__, "openvino", "torch", "nncf", "sklearn.datasets"])

_EXTENSION = "torch-extension"


def _build_extension() -> None:
    """Let NNCF compile its quantizers for PyTorch, which takes the better part of a minute, once."""
    workloads.no_telemetry()
    from nncf.torch import force_build_cpu_extensions

    force_build_cpu_extensions()


MODELS: Mapping[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    _EXTENSION: (_build_extension, ()),
    "resnet50": (workloads.resnet50, ()),
    "sentences": (workloads.sentences, ()),
    "digits": (lambda: [workloads.digits(fold) for fold in range(FOLDS)], ()),
    "tiny": (workloads.tiny, ()),
    "texts": (lambda: retrieval.pairs(2), ()),
    "resnet50_int8": (workloads.resnet50_int8, ("resnet50",)),
    "sentences_int8": (workloads.sentences_int8, ("sentences", "texts")),
    **{f"packaged-{name}": (task.workload, ("texts",)) for name, task in TASKS.items()},
    "resnet50_savedmodel": (workloads.resnet50_savedmodel, ("resnet50", "tensorflow")),
}
"""The guide's own models: how each is made, and what has to be there before; the longest first."""

_MENTIONED = {
    "sentences_dynamic": ("sentences",),
    "retrieval": ("texts",),
    "answers": ("texts",),
    "TASKS": tuple(f"packaged-{name}" for name in TASKS),
}
"""Names in scripts that stand for models of other names."""

_LONGEST = ("optimize/calibration_samples", "optimize/compression_combined", "optimize/real_models")
"""Examples that begin first: one of them alone at the end would leave all cores but one idle."""

_FULL_ONLY = ("tensorflow", "resnet50_savedmodel")
"""What a quick build does without, since only the full profile measures it."""


@dataclass(frozen=True)
class Target:
    """Something to make.

    :param name: an environment, a model, or an example.
    :param needs: names of targets to make before.
    :param files: sources; it is made anew where one has changed.
    """

    name: str
    needs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def targets(examples: Sequence[Example]) -> list[Target]:
    """What ``examples`` need, and what that needs, in an order in which each comes after its needs."""
    collected: dict[str, Target] = {}
    library = tuple(sorted((Path(__file__).parent / "workloads").glob("*.py")))

    def add(name: str) -> None:
        if name in collected:
            return
        needs = MODELS[name][1] if name in MODELS else ()
        for needed in needs:
            add(needed)
        collected[name] = Target(name, needs, library if name in MODELS else ())

    wishes = {example.name: _needs(example) for example in examples}
    for name in environments.NAMES:  # the network is waited for while models are made
        if any(name in needs for needs in wishes.values()):
            add(name)
    for name in MODELS:
        if any(name in needs for needs in wishes.values()):
            add(name)
    for example in sorted(examples, key=lambda example: example.name not in _LONGEST):
        if example.makes_artifacts:
            files = (example.script, *sorted(example.script.parent.glob("*/*.py")), *library)
            collected[example.name] = Target(example.name, wishes[example.name], files)
    return list(collected.values())


def prepare(examples: Sequence[Example], profile: str) -> dict[str, str]:
    """Make all that ``examples`` need, on all cores, and return what could not be made, with the reason.

    :param profile: the budgets under which the examples will run, which also decide what they train.
    :raises StorageError: the disk is full, or the folder cannot be written.
    :raises Failure: the preparation itself broke off.
    """
    spared = () if named(profile).name == "full" else _FULL_ONLY
    needed = [target for target in targets(examples) if target.name not in spared]
    if not needed:
        return {}
    (build_dir() / "models").mkdir(parents=True, exist_ok=True)
    workloads.no_telemetry()  # the server imports what would send some
    run = _Preparation(profile, len(needed))
    downloads = sum(not _is_installed(target.name) for target in needed if target.name in environments.NAMES)
    settings = {
        "dep_file": str(build_dir() / "models" / ".prepared.db"),
        "backend": "sqlite3",
        "reporter": _Reporter(run),
        "num_process": (os.cpu_count() or 1) + downloads,  # which wait for the network
        "par_type": "thread",
        "continue": True,
        "verbosity": 0,
    }
    tasks = {"DOIT_CONFIG": settings, "task_prepare": lambda: _tasks(needed, run)}
    try:
        DoitMain(ModuleTaskLoader(tasks)).run(["run"])
    finally:
        _end_server()
    if run.storage:
        raise StorageError(run.storage, "Free some space there, then go on: nox -s docs -- --resume")
    if run.done < len(needed):
        raise Failure("The preparation ended early; its messages are above.")
    return run.failures


def _end_server() -> None:
    """End the process that targets are forked from: it would hold half a gigabyte while examples measure."""
    if sys.platform == "linux":
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public way


@dataclass
class _Preparation:
    """What happened so far in one preparation."""

    profile: str
    count: int
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    made: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    storage: str = ""
    printing: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        remaining = self.count - self.done
        left = ""
        if self.made and remaining:
            minutes = (time.monotonic() - self.started) / self.made * remaining / 60
            left = f", about {max(minutes, 0.1):.1f} min left"
        with self.printing:  # doit reports from several threads
            print(f"[{time.strftime('%H:%M:%S')}] [{self.done}/{self.count}{left}] {text}", flush=True)


class _Reporter:
    """What doit tells of its tasks: what is being made and what was already there."""

    def __init__(self, run: _Preparation) -> None:
        self._run = run

    def execute_task(self, task: Any) -> None:
        if task.actions:
            self._run.say(f"Making {_target(task)}")

    def skip_uptodate(self, task: Any) -> None:
        self._run.done += 1
        self._run.say(f"{_target(task)} is there")

    def add_success(self, task: Any) -> None:
        if task.actions:
            self._run.done += 1
            self._run.made += 1
            reason = self._run.failures.get(_target(task))
            self._run.say(f"{_target(task)} {f'cannot be made: {reason}' if reason else 'is made'}")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: None


def _target(task: Any) -> str:
    return str(task.name).partition(":")[2]


def _tasks(needed: Sequence[Target], run: _Preparation) -> Iterator[dict[str, Any]]:
    names = {target.name for target in needed}
    for target in needed:
        yield {
            "name": target.name,
            "actions": [(_make, (target.name, run))],
            "file_dep": [str(file) for file in target.files],
            "task_dep": [f"prepare:{name}" for name in target.needs if name in names],
            "uptodate": [partial(_is_there, target.name, run.profile)],
        }


def _is_there(name: str, profile: str, task: Any, values: Mapping[str, Any]) -> bool:
    if name in environments.NAMES:
        return _is_installed(name)
    folders = values.get("folders")
    if folders is None or values.get("profile") != profile or values.get("packages") != _packages():
        return False
    return all((build_dir() / "models" / folder).is_dir() for folder in folders)


def _is_installed(environment: str) -> bool:
    try:
        environments.python_of(environment)
    except OptGuideError:
        return False
    return True


def _make(name: str, run: _Preparation) -> dict[str, Any]:
    """Make one target in a process of its own, and return what later tells that it is there."""
    receiver, sender = _SERVER.Pipe(duplex=False)
    settings = {**os.environ, PROFILE_VARIABLE: run.profile}
    process = _SERVER.Process(target=_make_here, args=(name, settings, sender))
    folders, is_storage = [], False
    try:
        with sender:
            process.start()
        folders, reason, is_storage = receiver.recv()
    except (EOFError, OSError) as error:
        # What the server imports may have ended it.
        reason = f"its process could not be started: {described(error)}"
        if process.pid is not None:
            process.join()
            reason = f"it ended with status {process.exitcode}"
    if reason:
        run.failures[name] = impersonal(reason)
        run.storage = run.storage or (reason if is_storage else "")
        return {}
    return {"folders": folders, "profile": run.profile, "packages": _packages()}


def _packages() -> list[str]:
    return [f"{name} {artifacts.version(name)}" for name in artifacts.PACKAGES]


def _needs(example: Example) -> tuple[str, ...]:
    mentioned = [model for name in sorted(example.names) for model in _MENTIONED.get(name, (name,))]
    if {"nncf", "torch"} <= example.names and example.makes_artifacts:
        mentioned.append(_EXTENSION)
    models = [name for name in MODELS if name in mentioned]
    return (*models, *sorted(example.environments))


def _make_here(name: str, settings: Mapping[str, str], sender: Connection) -> None:
    """Make ``name`` in this process, and send the folders that it needs, or why it cannot be made.

    :param settings: all environment variables; the server of this process may have begun under others.
    """
    die_with_parent()
    os.environ.clear()
    os.environ.update(settings)
    output = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(output, stream)  # what scripts and libraries print
    try:
        with storage_errors(build_dir()):
            _run(name)
        sender.send((sorted(folder.name for folder in artifacts.used()), "", False))
    except Exception as error:  # an example's script may raise anything
        reason = str(error) if isinstance(error, OptGuideError) else described(error)
        sender.send(([], reason.strip().splitlines()[-1], isinstance(error, StorageError)))


def _run(name: str) -> None:
    if name in environments.NAMES:
        environments.environment(name).create()
    elif name in MODELS:
        MODELS[name][0]()
    else:
        chapter, _, stem = name.partition("/")
        script = Path("examples", chapter, f"plot_{stem}.py").absolute()
        code = compile(preparing_part(script), str(script), "exec")
        exec(code, {"__name__": "__main__", "__file__": str(script)})  # noqa: S102  # the guide's own script
