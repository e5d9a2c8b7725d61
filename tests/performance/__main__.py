"""Run the benchmarks of the measuring core and print one table each."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from rich.console import Console

from optguide.errors import Busy, OptGuideError
from optguide.machine import Machine, measuring_lock, probe
from tests.performance import controls, planted, spread, streams, throughput, tuning
from tests.performance.models import MODELS

PARTS = {
    "throughput": throughput.run,
    "spread": spread.run,
    "streams": streams.run,
    "tuning": tuning.run,
    "controls": controls.run,
    "controls-disturbed": controls.run_disturbed,
    "controls-limited": controls.run_limited,
    "planted": planted.run,
}


def main() -> None:
    """Run the parts that were asked for, all without an argument."""
    parser = argparse.ArgumentParser(prog="nox -s bench --")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; repeatable")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the time, for trying the bench itself"
    )
    parser.add_argument(
        "--model", action="append", choices=MODELS, help="of the part tuning only this one; repeatable"
    )
    arguments = parser.parse_args()
    parts = PARTS | {"tuning": partial(tuning.run, models=arguments.model or MODELS)}
    console = Console(width=110)
    with measuring_lock("nox -s bench"):
        noise = probe()
        console.print(Machine.current().summary(), highlight=False)
        console.print(f"noise before: {noise.verdict}", highlight=False)
        for part in arguments.part or parts:
            console.print(parts[part](0.1 if arguments.quick else 1.0))


if __name__ == "__main__":
    try:
        main()
    except OptGuideError as error:
        # What Busy advises is an option of the command.
        print(error.message if isinstance(error, Busy) else error, file=sys.stderr)
        sys.exit(error.exit_status)
