import errno
import json
import os
import subprocess
import sys

import click
import pytest

from optguide.cli import cli
from optguide.cli.errors import exit_status_of
from optguide.cli.options import CommandState
from optguide.cli.output import SCHEMA, failure_fields, print_json
from optguide.errors import Busy, ModelError, WorkerDied

COMMAND = [sys.executable, "-m", "optguide"]
HEAVY = {
    "openvino",
    "scipy",
    "matplotlib",
    "rich",
    "numpy",
    "psutil",
    "msgspec",
    "torch",
    "nncf",
    "jinja2",
}


def test_help_imports_nothing_heavy():
    code = (
        "import json, sys\n"
        "from optguide.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert "compare" in done.stdout
    assert not HEAVY & set(json.loads(done.stderr))


@pytest.mark.parametrize("command", [[], *([name] for name in cli.commands)])
def test_every_command_has_help(optguide, command):
    found = optguide(*command, "--help")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("Usage: optguide")


def test_version(optguide):
    assert optguide("--version").out.startswith("optguide ")


def test_runs_as_a_module():
    done = subprocess.run([*COMMAND, "measure", "missing.xml"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: There is no model 'missing.xml'. Check the path.\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing command."),
        (["mesure"], "No such command 'mesure'."),
        (["measure"], "Missing argument 'MODEL'."),
        (["load"], "Missing argument 'MODEL"),
        (["measure", "m.xml", "--nope"], "No such option '--nope'."),
        (["measure", "m.xml", "--budget", "abc"], "'abc' is not a duration."),
        (["measure", "m.xml", "--wait", "1x"], "'1x' is not a duration."),
        (["measure", "m.xml", "--precision", "200%"], "'200%' is not a share between 0 and 1."),
        (["measure", "m.xml", "--hint", "fast"], "'fast' is not one of"),
        (["compare", "m.xml"], "A comparison needs two variants."),
        (["machine", "--seconds", "0"], "'0' is no time at all."),
    ],
)
def test_a_wrong_call_is_one_sentence_and_status_two(optguide, arguments, complaint):
    found = optguide(*arguments)
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith("Error: ")
    assert complaint in found.err
    assert found.err.count("\n") == 1


def test_a_name_that_is_not_utf_8_is_refused_in_one_sentence(ir, tmp_path):
    file = os.fsencode(tmp_path / "mod") + b"\xe9l.xml"
    with open(file, "wb") as copy:  # noqa: PTH123 - a path of bytes
        copy.write(ir.read_bytes())
    done = subprocess.run([*COMMAND, "measure", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "mod\\xe9l.xml is not in UTF-8, which OpenVINO and JSON expect."
        " Rename the file, or pass a link to it that has such a name.\n"
    )


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ModelError("No such file", "Check it."), 2, "Error: No such file. Check it.\n"),
        (Busy("Taken.", "Wait."), 1, "Error: Taken. Wait.\n"),
        (KeyError("x"), 1, "Error: KeyError: 'x'. That is a fault in optguide: run"),
        (OSError(errno.ENOSPC, "No space left"), 1, "Error: The disk is full. Free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "f"), 1, "Error: Permission denied (f). Run"),
        (KeyboardInterrupt(), 130, "Interrupted; "),
        (click.Abort(), 130, "Interrupted; "),
    ],
)
def test_exceptions_become_a_line_and_a_status(capsys, error, status, text):
    assert exit_status_of(raising(error), CommandState()) == status
    said = capsys.readouterr().err
    assert said.startswith(text)
    assert said.count("\n") == 1


def test_debug_adds_the_traceback_and_what_the_worker_said(capsys):
    error = WorkerDied("It died.", detail="last words")
    assert exit_status_of(raising(error), CommandState(debug=True)) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: It died.")
    assert "Traceback (most recent call last)" in said
    assert "last words" in said


@pytest.mark.parametrize(
    "arguments", [("--debug", "measure", "nope.xml"), ("measure", "nope.xml", "--debug")]
)
def test_debug_stands_before_or_after_the_command(optguide, arguments):
    found = optguide(*arguments)
    assert found.status == 2
    assert "Traceback" in found.err


def test_a_status_is_passed_on():
    assert exit_status_of(lambda: 3, CommandState()) == 3
    assert exit_status_of(lambda: None, CommandState()) == 0


@pytest.mark.parametrize("arguments", [["--help"], ["machine", "--json", "--seconds", "0.1"]])
def test_full_output_is_one_sentence(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "Error: The disk is full. Free some space, then run the command again.\n"


def test_a_closed_pipe_is_no_traceback():
    process = subprocess.Popen(
        [*COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1
    process.stderr.close()


def test_a_failure_in_json_has_its_sentence_and_its_remedy():
    assert failure_fields({"b": ModelError("No such file.", "Check it.")}) == [
        {"name": "b", "kind": "ModelError", "message": "No such file.", "remedy": "Check it."}
    ]


def test_what_is_no_finite_number_is_null(capsys):
    print_json("measure", {"share": float("nan"), "ends": (1.5, float("inf"))})
    data = json.loads(capsys.readouterr().out)
    assert data == {"schema": SCHEMA, "command": "measure", "share": None, "ends": [1.5, None]}


def test_every_option_has_help():
    commands = [cli, *(listed.load() for listed in cli.commands.values())]
    options = [
        (command.name, parameter)
        for command in commands
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]
    assert len(options) > 80
    assert [(name, option.name) for name, option in options if not option.help] == []


@pytest.mark.parametrize("name", cli.commands)
def test_what_is_listed_is_what_the_command_says_of_itself(name):
    listed = cli.commands[name]
    command = listed.load()
    assert command.name == name
    assert listed.get_short_help_str(200) == command.get_short_help_str(200)
