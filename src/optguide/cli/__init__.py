"""The ``optguide`` command: the guide's measuring, applied to the reader's own model.

A command's module is imported when the command runs. Listing commands and completing their names needs
neither NumPy nor rich, so both answer at once.
"""

from __future__ import annotations

import os
import pkgutil
import sys

import click

from optguide.cli.errors import exit_status_of
from optguide.cli.options import CommandState, debug_option, words_of_bash
from optguide.errors import OptionError

EPILOG = """\b
Examples:
  optguide optimize model.onnx --data samples.npz
  optguide machine
  optguide measure model.xml --budget 30s
  optguide compare model.xml model.onnx@runtime=onnxruntime --threads 2
  optguide compare model.xml @INFERENCE_PRECISION_HINT=f32 @hint=throughput
  optguide compare model.xml@openvino=2025.4 @openvino=2026.4
  optguide load model.xml --slo p99=50ms

\b
Exit status: 0 success, 1 failure, 2 the call has to change, 130 interrupted.

\b
Shell completion: put the line of your shell into its start-up file.
  bash  eval "$(_OPTGUIDE_COMPLETE=bash_source optguide)"
  zsh   eval "$(_OPTGUIDE_COMPLETE=zsh_source optguide)"
  fish  _OPTGUIDE_COMPLETE=fish_source optguide | source
"""

COMMANDS = {
    "claims": (
        "optguide.cli.claims:claims",
        "List the guide's claims with their verdicts, or try them on your own model.",
    ),
    "compare": ("optguide.cli.compare:compare", "Compare models, or one model under several settings."),
    "diagnose": (
        "optguide.cli.diagnose:diagnose",
        "Say why a model is slow as you run it, and what would make it faster here.",
    ),
    "environments": (
        "optguide.cli.environments:environments",
        "List the releases that variants such as MODEL@openvino=2025.4 have installed.",
    ),
    "first-inference": (
        "optguide.cli.first_inference:first_inference",
        "Measure the time from a fresh process to the first result, stage by stage, and memory.",
    ),
    "load": (
        "optguide.cli.load:load",
        "Measure latency while requests arrive at a given rate, whether the model is ready or not.",
    ),
    "machine": ("optguide.cli.machine:machine", "Show what this machine is, and how noisy it is now."),
    "measure": (
        "optguide.cli.measure:measure",
        "Measure latency, throughput, CPU time and memory of one model.",
    ),
    "optimize": (
        "optguide.cli.optimize:optimize",
        "Find the fastest way to run a model on this machine, and prove it.",
    ),
    "profile": (
        "optguide.cli.profile:profile",
        "Show which layers of a model take how long, and in which precision each one runs.",
    ),
}
"""Name, ``module:attribute`` and the first sentence of the help of each command."""


class LazyCommand(click.Command):
    """Stands for a command where commands are listed; :meth:`load` imports the command itself."""

    def __init__(self, name: str, reference: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.reference = reference

    def load(self) -> click.Command:
        """The command that this one stands for."""
        command: click.Command = pkgutil.resolve_name(self.reference)
        return command


class LazyGroup(click.Group):
    """A group that imports a command when it is called or its own options are completed, not to list it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the command itself in place of what stands for it."""
        name, command, remaining = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, remaining


@click.group(
    cls=LazyGroup,
    commands=[LazyCommand(name, *described) for name, described in COMMANDS.items()],
    epilog=EPILOG,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="optguide", message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """Measure inference with OpenVINO on this machine, and say how far the numbers can be trusted.

    Results go to standard output, progress and warnings to standard error.
    """


if "_OPTGUIDE_COMPLETE" in os.environ:
    words_of_bash()


def main() -> None:
    """Entry point of the console script; ends the process with the command's exit status."""
    state = CommandState()
    if sys.stdout is None:  # closed by whoever started this process
        click.echo("Error: Standard output is closed. Send it to a file, or to /dev/null.", err=True)
        raise SystemExit(2)
    raise SystemExit(exit_status_of(lambda: _run(state), state))


def _run(state: CommandState) -> object:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib would ask the same
    except FileNotFoundError:
        raise OptionError("The current folder has been deleted.", "Change to another one.") from None
    for argument in sys.argv[1:]:
        shown = os.fsencode(argument).decode(errors="backslashreplace")
        if not argument.isascii() and shown != argument:
            raise OptionError(
                f"The name {shown} is not in UTF-8, which OpenVINO and JSON expect.",
                "Rename the file, or pass a link to it that has such a name.",
            )
    return cli.main(prog_name="optguide", obj=state, standalone_mode=False)
