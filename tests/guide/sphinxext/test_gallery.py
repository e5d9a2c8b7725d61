from __future__ import annotations

import errno
import math
import os

import pytest

from optguide.errors import Busy, RecordsError, StorageError
from optguide.guide.sphinxext import gallery
from optguide.guide.sphinxext import machine as noise
from optguide.guide.sphinxext.pages import GuideError
from optguide.machine import NoiseProbe
from optguide.records import Recording, take_new_figures


@pytest.fixture(autouse=True)
def _build_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path / "build"))
    take_new_figures()


def draw():
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    return figure


def test_listed_examples_come_in_reading_order_and_others_last():
    files = [
        "plot_a_new_one.py",
        "plot_frameworks.py",
        "plot_what_is_performance.py",
        "plot_benchmark_app.py",
    ]
    assert sorted(files, key=gallery.example_place) == [files[2], files[3], files[1], files[0]]
    assert gallery.chapter_place("../examples/measure") < gallery.chapter_place("../examples/a_new_one")


def test_scraper_shows_recorded_figures():
    recording = Recording("measure/some", declares=("some.*",))
    recording.figure("curve", draw, alt="A curve", caption="A caption.")
    shown = gallery.figures(None, {}, {})
    assert shown.split() == ["..", "measured-figure::", "measure/some:curve"]
    assert take_new_figures() == []


def test_figures_of_a_failed_example_do_not_reach_the_next():
    Recording("measure/some", declares=("some.*",)).figure("curve", draw, alt="A curve", caption="A caption.")
    gallery.forget_figures({}, "plot_next.py")
    assert gallery.figures(None, {}, {}) == ""


def test_settings_name_functions_that_sphinx_gallery_can_import(tmp_path):
    from sphinx_gallery.gen_rst import _get_callables

    settings = gallery.gallery_settings(tmp_path, run=True)
    for key in ("subsection_order", "within_subsection_order", "image_scrapers", "reset_modules"):
        assert all(map(callable, _get_callables(settings, key)))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecordsError("It is corrupt.", "Measure again."), "It is corrupt. Measure again."),
        (Busy("Another one runs.", "Pass --wait."), "Another one runs. Start again when it has ended."),
    ],
)
def test_errors_stop_the_build_with_their_sentence(error, said):
    with pytest.raises(GuideError) as stopped, gallery.plain_errors():
        raise error
    assert stopped.value.code == said


def test_noise_is_kept_and_read_back(monkeypatch):
    assert noise.recorded_noise() is None
    found = NoiseProbe(2.0, 900, 0.02, 1.01, 0.03, 0.0, 0.5)
    monkeypatch.setattr(noise, "probe", lambda: found)
    noise.record_noise()
    assert noise.recorded_noise() == found


def test_noise_keeps_what_the_system_did_not_tell(monkeypatch):
    monkeypatch.setattr(noise, "probe", lambda: NoiseProbe(2.0, 900, 0.02, 1.01, 0.03, math.nan, 0.5))
    noise.record_noise()
    assert math.isnan(noise.recorded_noise().steal_share)


def test_noise_that_does_not_fit_on_the_disk_is_one_sentence(monkeypatch):
    monkeypatch.setattr(noise, "probe", lambda: NoiseProbe(2.0, 900, 0.02, 1.01, 0.03, 0.0, 0.5))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"records cannot be written: No space left"):
        noise.record_noise()


def test_noise_that_cannot_be_read_is_none(tmp_path):
    folder = tmp_path / "build" / "records"
    folder.mkdir(parents=True)
    (folder / "noise.json").write_text("{}")
    assert noise.recorded_noise() is None
