from __future__ import annotations

import io

import pytest
from rich.console import Console

from optguide.bench import progress


@pytest.fixture
def screen(monkeypatch):
    """Standard error as text, and as a terminal on request."""
    text = io.StringIO()

    def open_(terminal):
        monkeypatch.setattr(
            progress, "Console", lambda **_: Console(file=text, force_terminal=terminal, width=120)
        )
        return text

    return open_


def test_plain_lines_frame_the_session(screen):
    text = screen(terminal=False)
    with progress.reporting("resnet50", 12) as update:
        update(0.5, "OpenVINO")
    first, last = text.getvalue().splitlines()
    assert first == "resnet50: up to 12 s"
    assert last.startswith("resnet50: done in ")


@pytest.fixture
def now(monkeypatch):
    """The clock, as a list of one moment."""
    moment = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: moment[0])
    return moment


def test_plain_lines_come_rarely(screen, now):
    text = screen(terminal=False)
    with progress.reporting("resnet50", 60) as update:
        for second in range(60):
            now[0] = float(second)
            update(second / 60, "OpenVINO, interval so far ±3.0%")
    lines = text.getvalue().splitlines()
    assert len(lines) == 2 + 5
    assert lines[1] == "resnet50: 50 s left; OpenVINO, interval so far ±3.0%, 17%"
    assert lines[-1] == "resnet50: done in 59 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_labels_are_no_markup(screen, terminal):
    text = screen(terminal=terminal)
    with progress.reporting("model [red]a[/red].xml [/]", 1) as update:
        update(0.1, "variant [bold] [/]")
    if not terminal:
        assert "model [red]a[/red].xml [/]" in text.getvalue()


def test_live_bar_shows_what_runs_and_what_is_left(screen, now):
    text = screen(terminal=True)
    with progress.reporting("resnet50", 12) as update:
        now[0] = 3.0
        update(0.25, "OpenVINO, default")
    shown = text.getvalue()
    assert "resnet50" in shown
    assert "OpenVINO, default" in shown
    assert "9 s left" in shown


def test_more_than_expected_is_shown_as_all(screen, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    text = screen(terminal=False)
    with progress.reporting("resnet50", 12) as update:
        update(45.0, "overtime")
    assert "overtime, 100%" in text.getvalue()


def test_time_left_is_never_negative(screen, now):
    text = screen(terminal=True)
    with progress.reporting("resnet50", 12) as update:
        now[0] = 18.0
        update(1.5, "overtime")
    assert "finishing" in text.getvalue()
    assert "overtime, 100%" in text.getvalue()


def test_standard_output_stays_free(capfd):
    with progress.reporting("resnet50", 1) as update:
        update(0.5, "OpenVINO")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "resnet50" in captured.err


def test_sessions_report_into_the_overview(screen, now):
    text = screen(terminal=False)
    with progress.overview("optimize m.xml", 600) as view:
        view.enter("racing")
        with progress.reporting("a session", 12) as update:
            now[0] = 20.0
            update(0.5, "INT8, interval so far ±3.0%")
        view.lead("INT8, default")
    lines = text.getvalue().splitlines()
    assert lines == [
        "optimize m.xml: up to 10 min",
        "optimize m.xml: 10 min left; racing",
        "optimize m.xml: 9 min 40 s left; racing; INT8, interval so far ±3.0%, 50%",
        "optimize m.xml: 9 min 40 s left; leader: INT8, default",
        "optimize m.xml: done in 20 s",
    ]
    assert not any("a session" in line for line in lines)


def test_sessions_show_themselves_again_after_the_overview(screen):
    text = screen(terminal=False)
    with pytest.raises(RuntimeError), progress.overview("optimize m.xml", 600):
        raise RuntimeError
    with progress.reporting("resnet50", 12):
        pass
    assert "resnet50: up to 12 s" in text.getvalue()


def test_the_overview_shows_phase_leader_and_time_left(screen):
    text = screen(terminal=True)
    with progress.overview("optimize [red]m.xml[/]", 600) as view:
        view.enter("racing")
        view.lead("INT8 [bold], LATENCY hint")
        view.report("deployments")
    shown = text.getvalue()
    assert "optimize [red]m.xml[/]" in shown
    assert "10 min left" in shown
    assert "leader: INT8 [bold], LATENCY hint" in shown
    assert "racing: deployments" in shown


def test_an_overview_past_its_time_is_finishing(screen, now):
    text = screen(terminal=False)
    with progress.overview("optimize m.xml", 10) as view:
        now[0] = 11.0
        view.enter("writing the report")
    assert text.getvalue().splitlines()[-2] == "optimize m.xml: finishing; writing the report"
