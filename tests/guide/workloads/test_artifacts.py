"""Files made once: complete folders only, one build at a time, and a new folder for every change that counts.

What an example makes is kept until something changes that decides it; prose decides nothing.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from optguide.errors import EnvironmentMissing, Failure, OptionError, StorageError
from optguide.guide.workloads import cached_artifact
from optguide.guide.workloads.artifacts import Recipe, ensure, key

SCRIPT = '''"""
Title
=====

A summary.
"""

# %%
# Prose above.

from pathlib import Path

from optguide.guide import workloads

WIDTH = 3
SCALES = {"a": (1, 2.5)}


class Layer:
    """A layer."""

    def size(self):
        return WIDTH


# %%
# More prose.

def helper(value):
    # a comment
    return value * Layer().size()


def train_digits(folder: Path, seed: int = 0) -> None:
    """What it does."""
    Path(folder, "out.txt").write_text(str(helper(seed) + SCALES["a"][0]))
    print("not to be seen")


# %%
# And its place:

print(workloads.cached_artifact(train_digits, seed=2, packages=("numpy",)))
'''


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    folder = tmp_path / "build"
    monkeypatch.setenv("OPTGUIDE_BUILD", str(folder))
    return folder


def run(text: str, tmp_path: Path) -> tuple[Path, str]:
    """The folder that a script prints, and what it said beside."""
    script = tmp_path / "plot_script.py"
    script.write_text(text)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()), done.stderr


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """The name of what the script makes as it stands."""
    folder = tmp_path_factory.mktemp("unchanged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPTGUIDE_BUILD", str(folder / "build"))
        return run(SCRIPT, folder)[0].name


def test_made_once_and_kept(build, tmp_path):
    folder, said = run(SCRIPT, tmp_path)
    assert (folder / "out.txt").read_text() == "7"
    assert said == f"Making train_digits, seed=2: once, then kept as build/models/{folder.name}\n"
    assert folder.parent == build / "models"
    assert folder.name.startswith("train-digits-")
    assert run(SCRIPT, tmp_path) == (folder, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Prose above.", "# Other prose,\n# of two lines."),
        ("    # a comment\n", ""),
        ('    """What it does."""\n', '    """Something else."""\n'),
        ('    """A layer."""\n', ""),
        ("value * Layer", "value * \\\n        Layer"),
        ('"numpy",)))', '"numpy",)))\nWEIGHT = 4'),
    ],
)
def test_prose_and_the_rest_of_the_script_change_nothing(old, new, unchanged, tmp_path):
    assert old in SCRIPT
    assert run(SCRIPT.replace(old, new), tmp_path)[0].name == unchanged


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WIDTH = 3", "WIDTH = 4"),
        ("(1, 2.5)", "(1, 2.6)"),
        ("return value *", "return value +"),
        ("return WIDTH", "return WIDTH + 0"),
        ('SCALES["a"][0]', 'SCALES["a"][1]'),
        ("seed=2, ", "seed=3, "),
        ('("numpy",)', '("numpy", "scipy")'),
    ],
)
def test_what_decides_the_result_makes_a_new_one(old, new, unchanged, tmp_path):
    assert old in SCRIPT
    assert run(SCRIPT.replace(old, new), tmp_path)[0].name != unchanged


def test_sphinx_gallery_finds_what_the_script_alone_has_made(tmp_path):
    """The gallery compiles block by block, in a module of its own making."""
    alone, _ = run(SCRIPT, tmp_path)
    source = tmp_path / "source"
    (source / "examples").mkdir(parents=True)
    (source / "examples" / "GALLERY_HEADER.rst").write_text("Gallery\n=======\n")
    (source / "examples" / "plot_script.py").write_text(SCRIPT)
    (source / "conf.py").write_text(
        "extensions = ['sphinx_gallery.gen_gallery']\n"
        "sphinx_gallery_conf = {'examples_dirs': 'examples', 'gallery_dirs': 'gallery',"
        " 'abort_on_example_error': True}\n"
        "exclude_patterns = ['examples']\n"
    )
    (source / "index.rst").write_text("Start\n=====\n\n.. toctree::\n\n   gallery/index\n")
    command = [sys.executable, "-m", "sphinx", "-q", str(source), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Making" not in done.stdout + done.stderr
    page = (source / "gallery" / "plot_script.rst").read_text()
    assert f"{alone.name}\n" in page


def test_interrupted_nothing_stays(build, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, time\n"
        "from optguide.guide import workloads\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background ignores it
        "def train(folder):\n"
        "    (folder / 'half').touch()\n"
        "    time.sleep(60)\n"
        "workloads.cached_artifact(train, packages=())\n"
    )
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(build.glob("models/.train-*.part/half")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.CTRL_C_EVENT if os.name == "nt" else signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert [path.suffix for path in (build / "models").iterdir()] in ([], [".lock"])


def save(folder: Path, **arguments: object) -> None:
    (folder / "arguments").write_text(repr(arguments))


def test_paths_of_the_build_folder_count_by_their_place_in_it(tmp_path, monkeypatch):
    names = set()
    for place in ("one", "two"):
        monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path / place))
        names.add(cached_artifact(save, source=str(tmp_path / place / "models" / "m.xml"), packages=()).name)
    assert len(names) == 1


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("nan"), Path("x")])
def test_arguments_are_plain_data(value):
    with pytest.raises(OptionError, match=f"The argument value is a {type(value).__name__}") as caught:
        cached_artifact(save, value=value)
    assert caught.value.remedy.startswith("Pass numbers, texts")


def test_arguments_have_to_fit():
    def train(folder: Path, seed: int) -> None: ...

    with pytest.raises(TypeError, match="missing a required argument"):
        cached_artifact(train, sed=1)


def test_missing_package_is_named():
    with pytest.raises(EnvironmentMissing, match="no-such-distribution is not installed"):
        cached_artifact(save, packages=("no-such-distribution",))


def test_nothing_written_is_a_failure(build):
    def train(folder: Path) -> None:
        pass

    with pytest.raises(Failure, match="train has written nothing"):
        cached_artifact(train, packages=())
    assert not [path for path in (build / "models").iterdir() if path.is_dir()]


def write(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"weights")


def recipe(make=write, **changes) -> Recipe:
    fields = {"sources": (Path(__file__),), "packages": ("numpy",), "ingredients": ("seed 1",)} | changes
    return Recipe("model", make, **fields)


def visible(build: Path) -> list[str]:
    return [path.name for path in (build / "models").iterdir() if not path.name.startswith(".")]


def test_builds_once(build):
    builds = []
    once = recipe(lambda folder: (builds.append(1), write(folder)))
    folder = ensure(once)
    assert ensure(once) == folder
    assert builds == [1]
    assert (folder / "model.bin").read_bytes() == b"weights"
    assert folder == build / "models" / key(once)


def test_everything_that_shapes_the_result_changes_the_key(tmp_path, monkeypatch):
    source = tmp_path / "builder.py"
    source.write_text("first")
    keys = {key(recipe(sources=(source,)))}
    source.write_text("second")
    keys.add(key(recipe(sources=(source,))))
    keys.add(key(recipe(sources=(source,), ingredients=("seed 2",))))
    monkeypatch.setattr("optguide.guide.workloads.artifacts.metadata.version", lambda package: "0.0")
    keys.add(key(recipe(sources=(source,))))
    assert len(keys) == 4


def test_missing_package_names_it_and_the_command():
    with pytest.raises(EnvironmentMissing, match="no-such-distribution is not installed") as caught:
        ensure(recipe(packages=("no-such-distribution",)))
    assert 'pip install "optguide[frameworks,models]"' in caught.value.remedy


def test_failed_build_leaves_nothing(build):
    def fail(folder: Path) -> None:
        write(folder)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        ensure(recipe(fail))
    assert visible(build) == []
    assert (ensure(recipe()) / "model.bin").exists()


def test_full_disk_is_a_storage_error(build):
    def fill(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match="No space left") as caught:
        ensure(recipe(fill))
    assert "OPTGUIDE_BUILD" in caught.value.remedy
    assert visible(build) == []


PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from optguide.guide.workloads.artifacts import Recipe, ensure

def make(folder):
    (folder / "left-over" if sys.argv[1] == "die" else folder / "model.bin").write_bytes(b"weights")
    if sys.argv[1] == "die":
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    with Path(os.environ["OPTGUIDE_BUILD"], "made").open("a") as file:
        file.write("x")
    time.sleep(0.5)

print(ensure(Recipe("model", make, sources=(), packages=())))
"""


def start(how: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, text=True)


def test_killed_build_is_invisible_and_the_next_one_starts_clean(build):
    killed = start("die")
    killed.communicate()
    assert killed.returncode != 0
    assert visible(build) == []
    done = start("finish")
    folder = Path(done.communicate()[0].strip())
    assert [path.name for path in folder.iterdir()] == ["model.bin"]
    assert [path for path in (build / "models").iterdir() if path.is_dir()] == [folder]


def test_two_processes_at_once_build_once(build):
    processes = [start("finish"), start("finish")]
    first, second = (process.communicate()[0] for process in processes)
    assert first == second
    assert [process.returncode for process in processes] == [0, 0]
    assert (build / "made").read_text() == "x"
