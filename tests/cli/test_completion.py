"""What shells are told about models and the settings of a variant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from optguide.cli import cli
from optguide.cli.options import joined
from optguide.openvino_release import CPU_PROPERTIES

CODE = "from optguide.cli import cli; cli.main(prog_name='optguide')"


@pytest.fixture
def completed(monkeypatch, capsys):
    """What is offered for the last of some words."""

    def offered(*words):
        monkeypatch.setenv("_OPTGUIDE_COMPLETE", "zsh_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["optguide", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            cli.main(prog_name="optguide")
        return capsys.readouterr().out.split()

    return offered


@pytest.mark.parametrize("command", ["measure", "compare", "first-inference", "load", "profile"])
def test_models_are_files(completed, command):
    assert completed(command, "mod")[:2] == ["file", "mod"]


def test_settings_and_their_values_behind_a_model(completed):
    assert completed("load", "m.xml@hi")[1] == "m.xml@hint="
    assert "m.xml@hint=throughput" in completed("load", "m.xml@hint=")
    assert (
        completed("load", "m.xml@hint=latency,INFERENCE_N")[1] == "m.xml@hint=latency,INFERENCE_NUM_THREADS="
    )
    assert completed("load", "m.xml@name=x") == []


def test_commands_and_the_choices_of_options(completed):
    assert completed("m")[1] == "machine"
    assert completed("me")[1] == "measure"
    assert "throughput" in completed("measure", "--hint", "")


def test_properties_behind_set(completed):
    assert completed("measure", "--set", "PERFORMANCE_HINT=L")[1] == "PERFORMANCE_HINT=LATENCY"


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["m.xml", "@", "hi"], "m.xml@hi"),
        (["m.xml", "@", "hint", "=", "latency,re"], "m.xml@hint=latency,re"),
        (["m.xml", "@"], "m.xml@"),
        (["--no-control", "@", "hi"], "@hi"),
        (["m.xml", "@", "hint", "=", "latency", ""], ""),
        (["m.xml", "@", "hint", "=", "latency", "--bu"], "--bu"),
        (["m.xml", "--hint", ""], ""),
    ],
)
def test_words_that_bash_breaks_are_joined(words, whole):
    args, found = joined(words[:-1], words[-1])
    assert found == whole
    assert len(args) == (len(words) - 1 if whole == words[-1] else words.index("@") - whole.startswith("m"))


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("optguide load m.xml @ hi", "hint="),
        ("optguide compare m.xml @ hint = thr", "throughput"),
        ("optguide measure m.xml @ hint = latency,PERF_", "latency,PERF_COUNT="),
        ("optguide prof", "profile"),
    ],
)
def test_bash_gets_what_replaces_its_own_word(tmp_path, words, expected):
    command = tmp_path / "optguide"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{CODE}"\n')
    command.chmod(0o755)
    script = (
        'eval "$(_OPTGUIDE_COMPLETE=bash_source optguide)"\n'
        f"COMP_WORDS=({words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '_optguide_completion optguide\necho "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [expected]


def test_properties_that_are_offered_can_be_set():
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    supported = core.get_property("CPU", "SUPPORTED_PROPERTIES")
    others = [name for name in CPU_PROPERTIES if supported.get(name) != "RW"]
    assert [core.get_property(name) is not None for name in others] == [True, True]  # of the core itself
