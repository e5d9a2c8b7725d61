"""What a function depends on: found through calls, classes, constants, and modules of the guide."""

from __future__ import annotations

import enum
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from optguide.errors import OptionError
from optguide.guide import workloads
from optguide.guide.workloads.fingerprint import fingerprint

COUNT = 3
ARRAY = np.zeros(2)


class Kind(enum.Enum):
    LOCAL = 1


@dataclass(frozen=True)
class Settings:
    rate: float
    place: Path
    kinds: frozenset[str]


SETTINGS = Settings(0.1, Path("a", "b"), frozenset({"x", "y"}))


def inner(value: int) -> int:
    return value + COUNT


class Base:
    def run(self) -> int:
        return inner(1)


class Derived(Base):
    scale = COUNT


def test_definitions_are_followed_through_calls_bases_and_constants():
    def train(folder: Path) -> int:
        return Derived().run() + int(SETTINGS.rate)

    found = fingerprint(train)
    names = [name.rpartition(".")[2] for name in found.definitions]
    assert names == ["train", "Derived", "Base", "inner"]
    assert found.constants["COUNT"] == "3"
    assert found.constants["SETTINGS"] == (
        "Settings dict('rate': 0.1, 'place': path a/b, 'kinds': set('x', 'y'))".replace(
            "a/b", str(Path("a/b"))
        )
    )
    assert found.modules == {}


def test_local_names_hide_those_of_the_script():
    def train(folder: Path) -> list[int]:
        ARRAY = [1]  # noqa: N806
        return [ARRAY for COUNT in ARRAY]

    found = fingerprint(train)
    assert found.constants == {}


def test_recursion_ends():
    def train(folder: Path) -> None:
        train(folder)

    assert len(fingerprint(train).definitions) == 1


def test_values_from_around_a_function_count():
    def maker(rate: float):
        def train(folder: Path) -> float:
            return rate

        return train

    assert fingerprint(maker(0.5)).constants == {"rate": "0.5"}


def test_the_guides_modules_count_with_what_their_workload_consists_of():
    def train(folder: Path) -> object:
        from optguide.guide.workloads import minilm

        return workloads.tiny(), minilm.build(), replace

    found = fingerprint(train)
    assert sorted(found.modules) == [
        f"optguide.guide.workloads.{name}" for name in ("export", "minilm", "tiny")
    ]
    assert all(path.is_file() for path in found.modules.values())


def test_a_function_imported_from_the_guide_counts_with_its_module():
    from optguide.guide.workloads.resnet50 import images

    def train(folder: Path) -> object:
        return images(1, seed=1)

    assert "optguide.guide.workloads.resnet50" in fingerprint(train).modules


def test_what_cannot_be_told_is_refused():
    def train(folder: Path) -> object:
        return ARRAY

    with pytest.raises(OptionError, match="train uses ARRAY, a ndarray") as caught:
        fingerprint(train)
    assert "inside the function" in caught.value.remedy


def test_enumerations_are_constants():
    kind = Kind.LOCAL

    def train(folder: Path) -> object:
        return kind

    assert fingerprint(train).constants == {"kind": "<Kind.LOCAL: 1>"}


@pytest.mark.parametrize("thing", [lambda folder: None, print, Base, Base().run])
def test_only_functions_written_with_def(thing):
    with pytest.raises(OptionError, match="no function written with def"):
        fingerprint(thing)


def test_source_that_is_nowhere_is_refused():
    code = (
        "from optguide.errors import OptionError\n"
        "from optguide.guide.workloads.fingerprint import fingerprint\n"
        "exec('def train(folder): pass')\n"
        "try:\n    fingerprint(train)\nexcept OptionError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("The source of train cannot be read. Write it in a file")
