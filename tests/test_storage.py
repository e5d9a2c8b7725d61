import errno
import json
import math
import os
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from optguide.errors import RecordsError, StorageError
from optguide.storage import (
    atomic_file,
    atomic_folder,
    decode_json,
    encode_json,
    replace_record,
    storage_errors,
    write_file,
)

OLD = {"x.speed.light.1.svg": b"old light", "x.speed.dark.1.svg": b"old dark"}
NEW = {"x.speed.light.2.svg": b"new light", "x.speed.dark.2.svg": b"new dark"}


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def drafts(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix == ".part"]


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "records" / "measure" / "x.json"
    replace_record(path, b"old", OLD)
    return path


def test_record_and_figures_appear_together_and_old_figures_go(target):
    other = target.with_name("x_again.speed.light.1.svg")
    other.write_bytes(b"of another example")
    replace_record(target, b"new", NEW)
    assert visible(target.parent) == {"x.json": b"new", other.name: b"of another example", **NEW}
    assert drafts(target.parent) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_full_disk_at_any_step_keeps_what_was_there(target, monkeypatch, call, nth):
    real, left = getattr(os, call), [nth]

    def full(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match="No space left") as caught:
        replace_record(target, b"new", NEW)
    assert caught.value.remedy
    assert visible(target.parent).items() >= {"x.json": b"old", **OLD}.items()
    assert drafts(target.parent) == []


def test_old_figures_stay_where_the_switch_cannot_be_made_durable(target, monkeypatch):
    real, left = os.fsync, [5]  # three files, the folder with the new figures, the folder with the record

    def failing(handle):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", failing)
    replace_record(target, b"new", NEW)
    assert visible(target.parent) == {"x.json": b"new", **OLD, **NEW}


def test_folder_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "measure").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        replace_record(tmp_path / "measure" / "x.json", b"new", NEW)


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a file system needs root on Linux")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_really_full_disk_keeps_what_was_there(small_disk):
    target = small_disk / "measure" / "x.json"
    replace_record(target, b"old", OLD)
    with pytest.raises(StorageError, match="No space left on device"):
        replace_record(target, b"new", {"x.speed.light.2.svg": bytes(100_000)})
    assert visible(target.parent) == {"x.json": b"old", **OLD}
    replace_record(target, b"new", NEW)
    assert visible(target.parent) == {"x.json": b"new", **NEW}


def test_really_read_only_disk_is_a_storage_error(small_disk):
    target = small_disk / "measure" / "x.json"
    replace_record(target, b"old", OLD)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="Read-only file system"):
        replace_record(target, b"new", NEW)
    assert visible(target.parent) == {"x.json": b"old", **OLD}


KILLED_AT_EVERY_STEP = """
import json, os, signal, sys
from pathlib import Path
from optguide.storage import replace_record

target = Path(sys.argv[1])
FILE_STEPS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.scandir", "shutil.rmtree"}

def publish(generation):
    figures = {f"x.f.{mode}.{generation}.svg": b"%d" % generation for mode in ("light", "dark")}
    replace_record(target, json.dumps([generation, *figures]).encode(), figures)

def killed_at(step, generation):
    child = os.fork()
    if child == 0:
        left = step
        def hook(event, _):
            nonlocal left
            if event in FILE_STEPS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        publish(generation)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

publish(0)
current, seen, step = 0, [], 0
while True:
    step += 1
    killed = killed_at(step, step)
    found, *figures = json.loads(target.read_bytes())
    assert found in (current, step), (found, current, step)
    for name in figures:
        assert (target.parent / name).read_bytes() == b"%d" % found, name
    seen.append(found == step)
    current = found
    if not killed:
        break
print(json.dumps({"old": seen.count(False), "new": seen.count(True), "steps": step}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a child per step")
def test_kill_9_before_any_file_operation_leaves_the_old_or_the_new_record(tmp_path):
    target = tmp_path / "measure" / "x.json"
    run = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(target)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["old"] > 5
    assert report["new"] > 1
    assert drafts(target.parent) == []
    assert len(visible(target.parent)) == 3


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class Kept:
    schema: int
    intervals: tuple[Interval, ...]


def decoded(data: bytes, *, nonfinite: bool = True) -> Kept:
    return decode_json(
        data, Kept, kind="list", file="x.json", schema=1, remedy="Write it again.", nonfinite=nonfinite
    )


@pytest.mark.parametrize("lossless", [False, True])
def test_open_ends_survive_json(lossless):
    kept = Kept(1, (Interval(2.5, -math.inf, math.inf, "ms"), Interval(1.0, 0.5, 2.0, "inf")))
    data = encode_json(kept, lossless=lossless)
    assert (b"null" in data) is not lossless
    assert decoded(data) == kept
    with pytest.raises(RecordsError, match="Expected `float`"):
        decoded(data, nonfinite=False)


def test_value_that_is_no_number_survives_json():
    data = encode_json(Kept(1, (Interval(math.nan, math.nan, math.nan, "s"),)), lossless=True)
    assert all(map(math.isnan, astuple(decoded(data).intervals[0])[:3]))


def test_json_takes_numbers_of_numpy_and_mappings_that_cannot_change():
    data = encode_json({"a": MappingProxyType({"b": np.float64(0.5), "c": np.float64("nan")})})
    assert json.loads(data) == {"a": {"b": 0.5, "c": None}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "x.json is not a readable list"),
        (b"[]", "x.json is not a readable list"),
        (b"\xff", "x.json is not a readable list"),
        (b'{"schema": 1}', "x.json is not a readable list: .*intervals"),
        (b'{"schema": 2}', "x.json has schema 2, .* reads schema 1"),
    ],
)
def test_what_cannot_be_decoded_is_named(data, message):
    with pytest.raises(RecordsError, match=f"{message}.*Write it again"):
        decoded(data)


def test_file_is_replaced_only_by_a_complete_one(tmp_path):
    path = write_file(tmp_path / "x", b"old")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"half", None])
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"old")]
    write_file(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"new")]


def test_draft_that_is_a_link_is_not_followed(tmp_path):
    other, link = tmp_path / "other", tmp_path / ".x.part"
    other.write_bytes(b"of somebody else")
    link.symlink_to(other)
    write_file(tmp_path / "x", b"new")
    assert other.read_bytes() == b"of somebody else"


def test_folder_is_replaced_only_by_a_complete_one(tmp_path):
    path = tmp_path / "below" / "x"
    with atomic_folder(path) as folder:
        (folder / "old").touch()
    with pytest.raises(TypeError), atomic_folder(path) as folder:
        (folder / "half").write_bytes(None)
    assert [file.name for file in path.iterdir()] == ["old"]
    with atomic_folder(path) as folder:
        (folder / "new").touch()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOTDIR])
def test_what_keeps_a_folder_from_being_written_is_a_storage_error(tmp_path, code):
    with (
        pytest.raises(StorageError, match=r"cannot be written.*Buy it"),
        storage_errors(tmp_path, "Buy it."),
    ):
        raise OSError(code, os.strerror(code))


def test_missing_file_is_a_storage_error_only_in_the_folder_that_is_written(tmp_path):
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path / "x"):
        (tmp_path / "program").read_bytes()
    with pytest.raises(StorageError, match="No such file"):
        write_file(tmp_path / "removed" / "x", b"")
