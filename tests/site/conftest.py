"""Copies of the guide with made-up records, built as pages: no example runs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from optguide import claims
from optguide.machine import Machine
from optguide.machine.facts import FLAGS, Device
from optguide.records import SCHEMA, Figure, Record, Result, Table
from optguide.storage import encode_json

ROOT = Path(__file__).resolve().parents[2]
REASON = "this machine was made up without anything to measure"
ABLE = Machine(
    cpu="Made-up Processor",
    flags=FLAGS,
    physical_cores=64,
    logical_cores=128,
    usable_cores=128,
    cpu_quota=None,
    memory=2**36,
    system="linux",
    system_name="Debian GNU/Linux 12",
    kernel="6.1",
    hypervisor=False,
    governor="performance",
    python="3.11.2",
    packages={"openvino": "2026.4.1"},
    known_devices=tuple(Device(name, f"Made-up {name}", ("FP32",)) for name in ("CPU", "GPU", "NPU")),
)
EVIDENCE = {"variant": {"name": "default", "device": "CPU"}, "effective": {"NUM_STREAMS": "1"}, "rounds": 40}


@dataclass(frozen=True)
class Site:
    """A copy of the guide and what building it said."""

    root: Path
    exit_status: int
    output: str

    @property
    def html(self) -> Path:
        return self.root / "build" / "html"


@pytest.fixture(scope="session")
def chromium():
    """The browser of the system; each test opens contexts of its own."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if path is None:
        pytest.fail("Chromium is missing. Install it (apt-get install chromium) or set CHROMIUM to its path.")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def refuted(tmp_path_factory):
    """The guide on a machine that has everything and refutes every claim."""
    copy = copied(tmp_path_factory.mktemp("refuted"))
    publish(copy, _refuting(claims.load(ROOT / "conf" / "claims")))
    return build(copy)


@pytest.fixture(scope="session")
def unmeasurable(tmp_path_factory):
    """The guide on a machine that can measure nothing."""
    copy = copied(tmp_path_factory.mktemp("unmeasurable"))
    publish(copy, {}, measurable=False)
    return build(copy)


@pytest.fixture
def small(tmp_path):
    """A copy with the site's settings and one example, for the page that a test writes."""
    return with_one_example(tmp_path)


def with_one_example(folder: Path) -> Path:
    """The site's settings and one example, without any page."""
    copy = copied(folder)
    for path in (copy / "docs").rglob("*.md"):
        path.unlink()
    shutil.rmtree(copy / "examples")
    chapter = copy / "examples" / "measure"
    chapter.mkdir(parents=True)
    (chapter.parent / "GALLERY_HEADER.rst").write_text("Examples\n========\n")
    (chapter / "GALLERY_HEADER.rst").write_text("Measure\n-------\n")
    (chapter / "plot_some.py").write_text('"""\nSome\n====\n\nText.\n"""\n\nx = 1\n')
    (copy / "docs" / "machine.md").write_text("---\norphan: true\n---\n# This machine\n\n```{machine}\n```\n")
    return copy


def copied(folder: Path) -> Path:
    """The sources of the guide, without anything generated."""
    for name in ("docs", "examples", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("gallery", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def build(copy: Path, *options: str, strict: bool = True) -> Site:
    """Build the pages of ``copy``, as ``nox -s pages`` does."""
    strictness = ["--nitpicky", "--fail-on-warning", "--keep-going"] if strict else []
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-c",
            "conf",
            "-d",
            "build/doctrees",
            *strictness,
            *options,
            "docs",
            "build/html",
        ],
        cwd=copy,
        env=os.environ
        | {"OPTGUIDE_PAGES_ONLY": "1", "OPTGUIDE_BUILD": str(copy / "build"), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Site(copy, done.returncode, done.stdout + done.stderr)


def record(example: str, results=(), unavailable=(), **changes) -> Record:
    """A record of ``example`` that was finished an hour ago."""
    finished = datetime.now(UTC) - timedelta(hours=1, minutes=1)
    made = Record(
        schema=SCHEMA,
        example=example,
        script="",
        script_sha256="",
        profile="quick",
        build="one",
        started=(finished - timedelta(minutes=1)).isoformat(),
        finished=finished.isoformat(),
        machine=ABLE.to_dict(),
        machine_id=ABLE.machine_id,
        results=dict(results),
        unavailable=dict(unavailable),
        figures={},
        tables={},
    )
    return replace(made, **changes)


def write(copy: Path, *records: Record) -> None:
    """Put ``records`` where the build of ``copy`` looks, with every figure they name."""
    for made in records:
        file = copy / "build" / "records" / f"{made.example}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode_json(made))
        for figure in made.figures.values():
            for name in (figure.light, figure.dark):
                (file.parent / name).write_text(
                    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200" width="400" height="200">'
                    '<path d="M10 190 390 10" stroke="#3377cc"/></svg>'
                )


def publish(copy: Path, results, *, measurable: bool = True) -> None:
    """Records for all that pages and claims of ``copy`` ask for: ``results`` as given, others made up."""
    wanted, figures, tables = _asked_for(copy)
    wanted |= set(results)
    declared = _declared(copy)
    owners: dict[str, list[str]] = {}
    for identifier in sorted(wanted):
        fits = (
            name for name, patterns in declared.items() if any(fnmatchcase(identifier, p) for p in patterns)
        )
        owners.setdefault(next(fits, "measure/made_up"), []).append(identifier)
    for example, _ in figures | tables:
        owners.setdefault(example, [])
    for example, identifiers in owners.items():
        found = {key: results.get(key) or result(1.5) for key in identifiers} if measurable else {}
        missing = {} if measurable else dict.fromkeys(identifiers, REASON)
        write(
            copy,
            record(
                example,
                found,
                missing,
                figures={
                    name: Figure(f"What {name} shows", "A caption.", f"{name}.light.svg", f"{name}.dark.svg")
                    for owner, name in figures
                    if owner == example
                },
                tables={
                    name: Table("A caption", ("Row", "Value"), (("one", result(2.0)),))
                    for owner, name in tables
                    if owner == example
                },
            ),
        )


def result(
    value: float, low: float | None = None, high: float | None = None, unit: str = "ratio", **more
) -> Result:
    """A result with an interval of 2 % to both sides unless given."""
    spread = abs(value) * 0.02 or 0.01
    return Result(
        value,
        value - spread if low is None else low,
        value + spread if high is None else high,
        unit,
        more.pop("n", 120),
        method="median of paired ratios, bootstrapped over rounds",
        label=more.pop("label", "a made-up quantity"),
        evidence=EVIDENCE | more.pop("evidence", {}),
        above=more.pop("above", ""),
    )


def _refuting(every_claim) -> dict[str, Result]:
    found: dict[str, Result] = {}
    for claim in every_claim:
        condition = claim.conditions[0]
        lowest, highest = condition.edges[0], condition.edges[-1]
        if condition.side == "above":
            value = lowest - abs(lowest) * 0.2 - 0.01
        elif condition.side == "below":
            value = highest + abs(highest) * 0.2 + 0.01
        else:
            value = highest * 1.5 + 1
        found.setdefault(condition.result, result(value))
    return found


def _asked_for(copy: Path) -> tuple[set[str], set[tuple[str, str]], set[tuple[str, str]]]:
    """Identifiers, figures and tables that pages and claims name."""
    text = "\n".join(path.read_text("utf-8") for path in sorted((copy / "docs").rglob("*.md")))
    identifiers = {match.strip() for match in re.findall(r"\{measured\}`([^`|]+)", text)}
    for claim in claims.load(copy / "conf" / "claims"):
        identifiers |= {condition.result for condition in claim.conditions}
    for block in re.findall(r"^[`:]{3,}\{results\}.*?^[`:]{3,}$", text, re.MULTILINE | re.DOTALL):
        columns = re.search(r":columns:(.*)", block)[1].split(",")
        prefixes = re.findall(r"^([a-z0-9_.]+)\s*\|", block, re.MULTILINE)
        identifiers |= {
            f"{prefix}.{column.split('=')[0].strip()}" for prefix in prefixes for column in columns
        }
    return (
        identifiers,
        set(re.findall(r"\{measured-figure\} *(\S+?):(\S+)", text)),
        set(re.findall(r"\{measured-table\} *(\S+?):(\S+)", text)),
    )


def _declared(copy: Path) -> dict[str, list[str]]:
    """Example to the identifiers and patterns it declares, as far as they are written out."""
    found: dict[str, list[str]] = {}
    for script in sorted((copy / "examples").rglob("plot_*.py")):
        for call in ast.walk(ast.parse(script.read_text("utf-8"))):
            if (
                isinstance(call, ast.Call)
                and getattr(call.func, "attr", getattr(call.func, "id", "")) == "Recording"
            ):
                texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
                found[texts[0]] = [text for text in texts[1:] if isinstance(text, str)]
    return found


@pytest.fixture(scope="session")
def site_tools():
    """The functions above, for tests in modules that cannot import a conftest."""
    return sys.modules[__name__]
