import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from optguide.errors import StorageError
from optguide.storage import replace_record

OLD = {"x.speed.light.1.svg": b"old light", "x.speed.dark.1.svg": b"old dark"}
NEW = {"x.speed.light.2.svg": b"new light", "x.speed.dark.2.svg": b"new dark"}


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def staged(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir()]


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
    assert staged(target.parent) == []


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
    assert staged(target.parent) == []


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
    assert staged(target.parent) == []
    assert len(visible(target.parent)) == 3
