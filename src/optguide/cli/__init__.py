"""The ``optguide`` command: the guide's measuring, applied to the reader's own model.

Modules of commands import click and the standard library only; everything else is imported inside the
function that needs it, because ``--help`` and shell completion have to answer at once.
"""

from __future__ import annotations

import os

import click

from optguide.cli.claims import claims
from optguide.cli.compare import compare
from optguide.cli.completion import words_of_bash
from optguide.cli.errors import exit_status_of
from optguide.cli.first_inference import first_inference
from optguide.cli.load import load
from optguide.cli.machine import machine
from optguide.cli.measure import measure
from optguide.cli.optimize import optimize
from optguide.cli.options import CommandState, debug_option
from optguide.cli.profile import profile

__all__ = ["cli", "main"]

EPILOG = """\b
Examples:
  optguide optimize model.onnx --data samples.npz
  optguide machine
  optguide measure model.xml --budget 30s
  optguide compare model.xml model.onnx@runtime=onnxruntime --threads 2
  optguide compare model.xml @INFERENCE_PRECISION_HINT=f32 @hint=throughput
  optguide load model.xml --slo p99=50ms

\b
Exit status: 0 success, 1 failure, 2 the call has to change, 130 interrupted.

\b
Shell completion: put the line of your shell into its start-up file.
  bash  eval "$(_OPTGUIDE_COMPLETE=bash_source optguide)"
  zsh   eval "$(_OPTGUIDE_COMPLETE=zsh_source optguide)"
  fish  _OPTGUIDE_COMPLETE=fish_source optguide | source
"""


@click.group(epilog=EPILOG, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="optguide", message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """Measure inference with OpenVINO on this machine, and say how far the numbers can be trusted.

    Results go to standard output, progress and warnings to standard error.
    """


for _command in (optimize, machine, measure, compare, first_inference, load, profile, claims):
    cli.add_command(_command)

if "_OPTGUIDE_COMPLETE" in os.environ:
    words_of_bash()


def main() -> None:
    """Entry point of the console script; ends the process with the command's exit status."""
    state = CommandState()
    raise SystemExit(
        exit_status_of(lambda: cli.main(prog_name="optguide", obj=state, standalone_mode=False), state)
    )
