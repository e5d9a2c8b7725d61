"""What shells are told about models and the settings of a variant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from optguide.cli.options import joined
from optguide.openvino_release import CPU_PROPERTIES

CODE = "from optguide.cli import cli; cli.main(prog_name='optguide')"


def completed(*words, shell="zsh"):
    """What is offered for the last word."""
    variables = {
        "_OPTGUIDE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["optguide", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("command", ["measure", "compare", "first-inference", "load", "profile"])
def test_models_are_files(command):
    assert completed(command, "mod")[:2] == ["file", "mod"]


def test_settings_and_their_values_behind_a_model():
    assert completed("load", "m.xml@hi")[1] == "m.xml@hint="
    assert "m.xml@hint=throughput" in completed("load", "m.xml@hint=")
    assert (
        completed("load", "m.xml@hint=latency,INFERENCE_N")[1] == "m.xml@hint=latency,INFERENCE_NUM_THREADS="
    )
    assert completed("load", "m.xml@name=x") == []


def test_properties_behind_set():
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
