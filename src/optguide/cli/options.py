"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from optguide.cli.completion import complete_property, complete_variant
from optguide.errors import OptionError
from optguide.format import parse_duration, parse_share

__all__ = [
    "CommandState",
    "Duration",
    "LatencyLimit",
    "debug_option",
    "json_option",
    "models_argument",
    "session_options",
    "settings_options",
    "wait_option",
]

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


@dataclass
class CommandState:
    """What the entry point has to know about the command line.

    :param debug: whether errors show tracebacks.
    """

    debug: bool = False


class Duration(click.ParamType):  # type: ignore[type-arg] # generic since click 8.2
    """Seconds, from ``500ms``, ``12s``, ``10m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; click's usage error for anything else."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except OptionError as error:
            self.fail(str(error), param, ctx)


class Share(click.ParamType):  # type: ignore[type-arg]
    """A number from 0 to 1, from ``2%`` or ``0.02``."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share; click's usage error for anything else."""
        if isinstance(value, float):
            return value
        try:
            return parse_share(value)
        except OptionError as error:
            self.fail(str(error), param, ctx)


class LatencyLimit(click.ParamType):  # type: ignore[type-arg]
    """A percentile and milliseconds, from ``p99=50ms``."""

    name = "limit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, float]:
        """Percentile and milliseconds; click's usage error for anything else."""
        if isinstance(value, tuple):
            return value
        percentile, equals, time = value.partition("=")
        if not equals or percentile.strip() not in PERCENTILES:
            known = ", ".join(PERCENTILES)
            self.fail(f"{value!r} is no latency limit. Write one such as p99=50ms, for {known}.", param, ctx)
        try:
            milliseconds = 1e3 * parse_duration(time)
        except OptionError as error:
            self.fail(str(error), param, ctx)
        if not milliseconds > 0:
            self.fail("No latency is below zero. Write a time such as 50ms.", param, ctx)
        return PERCENTILES[percentile.strip()], milliseconds


PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}
"""Those of a latency that are measured."""


def _remember_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(CommandState).debug = True


debug_option = click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_remember_debug,
    help="Show tracebacks, those of worker processes too.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")

wait_option = click.option(
    "--wait",
    type=Duration(),
    default="0s",
    metavar="TIME",
    help="Wait this long for another measurement on this machine to end, such as 10m.",
)


models_argument = click.argument(
    "variants", nargs=-1, required=True, metavar="MODEL [MODEL]...", shell_complete=complete_variant
)


def settings_options(command: AnyCallable) -> AnyCallable:
    """How models run. The same settings can be written on one variant: ``model.xml@requests=4``."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


def session_options(command: AnyCallable) -> AnyCallable:
    """How long and how precisely to measure, and how to print it."""
    for option in reversed(_SESSION):
        command = option(command)
    return command


_SETTINGS = (
    click.option("--device", metavar="NAME", help="OpenVINO device, such as CPU, GPU or AUTO:GPU,CPU."),
    click.option(
        "--hint",
        type=click.Choice(["latency", "throughput", "cumulative", "none"]),
        help="Performance hint; none leaves it to the device.",
    ),
    click.option(
        "--set",
        "properties",
        multiple=True,
        metavar="KEY=VALUE",
        help="An OpenVINO property.",
        shell_complete=complete_property,
    ),
    click.option("--precision-hint", metavar="TYPE", help="Inference precision, such as f32 or bf16."),
    click.option(
        "--requests",
        metavar="N",
        help="Infer requests in flight: a number, auto for what the device calls optimal, or sync for one"
        " call after another. By default auto under a throughput hint and sync otherwise.",
    ),
    click.option("--batch", metavar="N", help="Batch size to reshape to."),
    click.option(
        "--shape", "shapes", multiple=True, metavar="NAME=1,3,224,224", help="Static shape of an input."
    ),
    click.option(
        "--inputs",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Inputs as .npz, one array per model input; several files take turns. Random without it.",
    ),
    click.option("--threads", metavar="N", help="Inference threads, in every runtime."),
    click.option(
        "--allow-pickle",
        is_flag=True,
        help="Read .pt2 files, which can execute code of whoever made them.",
    ),
)

_SESSION = (
    click.option(
        "--budget",
        type=Duration(),
        default="20s",
        show_default=True,
        metavar="TIME",
        help="Time for the session, loading included, shared by all variants.",
    ),
    click.option(
        "--precision",
        type=Share(),
        default="2%",
        show_default=True,
        metavar="SHARE",
        help="Stop earlier once the 95 % intervals of the ratios to the first variant, or of one model's"
        " throughput, reach no further than this to either side.",
    ),
    wait_option,
    json_option,
    click.option("--verbose", "-v", is_flag=True, help="Show all effective properties."),
    debug_option,
)
