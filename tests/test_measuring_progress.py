from __future__ import annotations

import io

import pytest
from rich.console import Console

from optguide.measuring import progress


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


def test_plain_lines_come_rarely(screen, monkeypatch):
    text = screen(terminal=False)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.reporting("resnet50", 60) as update:
        for second in range(60):
            now[0] = float(second)
            update(second / 60, "OpenVINO, interval so far ±3.0%")
    lines = text.getvalue().splitlines()
    assert len(lines) == 2 + 5
    assert lines[1] == "resnet50: 17%, OpenVINO, interval so far ±3.0%"
    assert lines[-1] == "resnet50: done in 59.0 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_labels_are_no_markup(screen, terminal):
    text = screen(terminal=terminal)
    with progress.reporting("model [red]a[/red].xml [/]", 1) as update:
        update(0.1, "variant [bold] [/]")
    if not terminal:
        assert "model [red]a[/red].xml [/]" in text.getvalue()


def test_live_bar_shows_what_runs_and_what_is_left(screen):
    text = screen(terminal=True)
    with progress.reporting("resnet50", 12) as update:
        update(0.25, "OpenVINO, default")
    shown = text.getvalue()
    assert "resnet50" in shown
    assert "OpenVINO, default" in shown
    assert "9 s left" in shown


def test_time_left_is_never_negative(screen):
    text = screen(terminal=True)
    with progress.reporting("resnet50", 12) as update:
        update(1.5, "overtime")
    assert "0 s left" in text.getvalue()
    assert "-" not in text.getvalue().split("s left")[0][-6:]


def test_standard_output_stays_free(capfd):
    with progress.reporting("resnet50", 1) as update:
        update(0.5, "OpenVINO")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "resnet50" in captured.err
