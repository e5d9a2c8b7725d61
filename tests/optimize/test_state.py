"""The state of a run on disk: nothing is lost on the way there and back, and nothing foreign is touched."""

import json
import math
from dataclasses import replace

import pytest

from optguide import storage
from optguide.errors import OptionError, RecordsError, StorageError
from optguide.optimize import state as states
from optguide.optimize.candidate import Settings, space_of
from optguide.optimize.outcome import Resumption, State
from optguide.optimize.state import Store
from optguide.stats.estimate import Estimate
from tests.optimize.outcomes import RICH


def state(**changes):
    fresh = State(
        schema=states.SCHEMA,
        version="0.1.0",
        settings=RICH.state.settings,
        machine=RICH.state.machine,
        started="2026-11-24T12:00:00+00:00",
        subject=RICH.state.subject,
        resumption=Resumption("here", "0" * 12, {"model": "abc", "data": "", "metric": ""}),
    )
    return replace(fresh, **changes)


def full():
    """Everything a state can hold, numbers among it that JSON does not have."""
    open_ended = Estimate(1.0, -math.inf, math.inf, "ratio", 3)
    race_round = replace(RICH.state.rounds[0], ratios={"a": open_ended})
    space = space_of("latency", streams=1, threads=2, processors=2)
    source = {"file": "run/f32.xml"}
    resumption = Resumption("here", "0" * 12, {"model": "abc"}, source, space, True, ("a", "b"), True)
    return replace(
        RICH.state,
        resumption=resumption,
        rounds=(race_round, RICH.state.rounds[-1]),
        unmeasured={"layers": "They are too fast."},
        ended="interrupted",
        seconds=12.5,
    )


def test_everything_comes_back(tmp_path):
    store = Store.begin(tmp_path / "out", state())
    store.update(full())
    assert Store.reopen(tmp_path / "out").state == full()


def test_the_file_is_json_that_others_read(tmp_path):
    store = Store.begin(tmp_path / "out", full())
    data = json.loads((store.work / "state.json").read_text(), parse_constant=pytest.fail)
    assert data["settings"]["model"] == RICH.state.settings.model


def test_an_update_replaces_the_file_in_one_step(tmp_path, monkeypatch):
    store = Store.begin(tmp_path / "out", state())

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        store.update(state(seconds=5.0))
    assert store.state.seconds == 0.0
    assert Store.reopen(tmp_path / "out").state.seconds == 0.0


def test_an_empty_folder_is_used_and_a_missing_one_made(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "a/b/new"):
        assert (Store.begin(tmp_path / name, state()).work / "state.json").is_file()


def test_a_folder_of_another_run_is_refused_with_a_way_out(tmp_path):
    Store.begin(tmp_path / "out", state(settings=Settings("first.xml")))
    with pytest.raises(OptionError, match=r"holds another run, of first\.xml") as error:
        Store.begin(tmp_path / "out", state(settings=Settings("second.xml")))
    assert f"--resume {tmp_path / 'out'}" in error.value.remedy
    assert Store.reopen(tmp_path / "out").state.settings.model == "first.xml"


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OptionError, match="holds other files"):
        Store.begin(tmp_path, state())
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(OptionError, match="is a file"):
        Store.begin(tmp_path / "out", state())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a readable state"),
        (b"[]", "not a readable state"),
        (b'{"schema": 2}', "not a readable state"),
        (b'{"schema": 99, "version": "9.0"}', "this version of optguide reads schema 2"),
    ],
)
def test_what_is_no_state_is_said(tmp_path, content, complaint):
    store = Store.begin(tmp_path / "out", state())
    (store.work / "state.json").write_bytes(content)
    with pytest.raises(RecordsError, match=complaint):
        Store.reopen(tmp_path / "out")


def test_no_run_to_resume(tmp_path):
    with pytest.raises(OptionError, match="holds no run"):
        Store.reopen(tmp_path)


@pytest.mark.parametrize("existed", [True, False])
def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path, existed):
    if existed:
        (tmp_path / "out").mkdir()
    store = Store.begin(tmp_path / "out", state())
    (store.work / "inputs").mkdir()
    (store.work / "inputs" / "own-0.npz").write_bytes(b"x")
    store.discard(folder=not existed)
    assert (tmp_path / "out").exists() == existed
    states.check_new(tmp_path / "out")
