"""Options that several commands share, how their values are read, and what the shell completes of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from optguide.errors import OptionError
from optguide.format import parse_duration, parse_share
from optguide.openvino_release import CPU_PROPERTIES

# A shell waits for these at every press of a key, so what needs NumPy is imported only to complete a setting.


def complete_variant(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Files up to an ``@``; behind it names of settings and, behind their ``=``, values."""
    model, at, written = incomplete.rpartition("@")
    if not at:
        return [CompletionItem(incomplete, type="file")]
    from optguide.cli.variants import keys  # imports NumPy, and the list of commands needs this module

    # Behind "shape." stands the name of an input, which only the model knows.
    settings = {key: values for key, values in keys().items() if key != "shape"}
    done, comma, last = written.rpartition(",")
    return _items(f"{model}@{done}{comma}", last, settings | CPU_PROPERTIES)


def complete_property(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """``NUM_STREAMS=`` and, behind the ``=``, values."""
    return _items("", incomplete, CPU_PROPERTIES)


def words_of_bash() -> None:
    """Let ``bash`` complete settings of a variant, whose words it breaks at ``@`` and ``=``."""

    class Words(BashComplete):
        source_template = BashComplete.source_template.replace(
            "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace"
        )
        head = ""

        def get_completion_args(self) -> tuple[list[str], str]:
            args, incomplete = super().get_completion_args()
            args, whole = joined(args, incomplete)
            self.head = "" if whole == incomplete else whole[: 1 + max(map(whole.rfind, _BREAKS))]
            return args, whole

        def format_completion(self, item: CompletionItem[str]) -> str:
            item.value = item.value.removeprefix(self.head)
            return super().format_completion(item)

    add_completion_class(Words)


_BREAKS = ("@", "=", ":")


def joined(args: list[str], incomplete: str) -> tuple[list[str], str]:
    """Words of a variant that ``bash`` has broken, in one piece again; others as they are.

    ``model.xml``, ``@``, ``hint``, ``=``, ``lat`` are one word. Without a break between them words are two.
    """
    words = [*args, incomplete]
    if "@" not in words:
        return args, incomplete
    start = len(words) - 1 - words[::-1].index("@")
    run = words[start:]
    if any(a not in _BREAKS and b not in _BREAKS for a, b in itertools.pairwise(run)):
        return args, incomplete
    if start and not words[start - 1].startswith("-"):
        start -= 1  # the model; written apart, its settings complete alike
    return words[:start], "".join(words[start:])


def _items(head: str, written: str, choices: dict[str, tuple[str, ...]]) -> list[CompletionItem[str]]:
    key, equals, value = written.partition("=")
    if equals:
        return [
            CompletionItem(f"{head}{key}={choice}")
            for choice in choices.get(key, ())
            if choice.startswith(value)
        ]
    return [CompletionItem(f"{head}{name}=") for name in choices if name.startswith(key)]


CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


@dataclass
class CommandState:
    """What the entry point has to know about the command line."""

    debug: bool = False


class TextType(click.ParamType):  # type: ignore[type-arg] # generic since click 8.2
    """The value that ``parse`` makes of a text; what it raises becomes click's usage error."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value; one that is no text has been parsed already."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except OptionError as error:
            self.fail(str(error), param, ctx)


def parse_limit(text: str) -> tuple[int, float]:
    """A percentile and milliseconds, from ``p99=50ms``.

    :raises OptionError: a text of another form, or a time that no latency is below.
    """
    percentile, _, time = (part.strip() for part in text.partition("="))
    if percentile not in PERCENTILES or not time:
        raise OptionError(
            f"{text!r} is no latency limit.", f"Write one such as p99=50ms, for {', '.join(PERCENTILES)}."
        )
    milliseconds = 1e3 * parse_duration(time)
    if not milliseconds > 0:
        raise OptionError("No latency is below zero.", "Write a time such as 50ms.")
    return PERCENTILES[percentile], milliseconds


PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}
"""The percentiles of a latency that are measured."""


def parse_length(text: str) -> float:
    """Seconds, more than none."""
    seconds = parse_duration(text)
    if not seconds > 0:
        raise OptionError(f"{text!r} is no time at all.", "Give more, such as 10s.")
    return seconds


SHARE = TextType("share", parse_share)
LATENCY_LIMIT = TextType("limit", parse_limit)


def time_option(
    name: str, parse: Callable[[str], float] = parse_length, **attributes: Any
) -> Callable[[CommandFunction], CommandFunction]:
    """An option whose value is a length of time."""
    kind = TextType("duration", parse)
    return click.option(name, type=kind, show_default=True, metavar="TIME", **attributes)


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

wait_option = time_option(
    "--wait",
    parse_duration,
    default="0s",
    help="Wait this long for another measurement on this machine to end, such as 10m.",
)

shape_option = click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1,3,224,224", help="Static shape of an input."
)

inputs_option = click.option(
    "--inputs",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Inputs as .npz, one array per model input; several files take turns. Random without it.",
)

allow_pickle_option = click.option(
    "--allow-pickle", is_flag=True, help="Read .pt2 files, which can execute code of whoever made them."
)

models_argument = click.argument(
    "variants", nargs=-1, required=True, metavar="MODEL [MODEL]...", shell_complete=complete_variant
)


def _together(
    *options: Callable[[CommandFunction], CommandFunction],
) -> Callable[[CommandFunction], CommandFunction]:
    """One decorator for several options, which the help lists in this order."""

    def decorate(command: CommandFunction) -> CommandFunction:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _single(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    if len(values) > 1:
        raise click.BadParameter("it is given twice; keep one of the values.", ctx, param)
    return values[0] if values else None


def _setting(name: str, **attributes: Any) -> Callable[[CommandFunction], CommandFunction]:
    """An option with one value, which click would otherwise take from the last of several without a word."""
    return click.option(name, multiple=True, callback=_single, **attributes)


device_option = _setting(
    "--device", metavar="NAME", help="OpenVINO device, such as CPU (the default), GPU or AUTO:GPU,CPU."
)

settings_options = _together(
    device_option,
    _setting(
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
    _setting("--precision-hint", metavar="TYPE", help="Inference precision, such as f32 or bf16."),
    _setting(
        "--requests",
        metavar="N",
        help="Infer requests in flight: a number, auto for what the device calls optimal, or sync for one"
        " call after another. By default auto under a throughput hint and sync otherwise.",
    ),
    _setting("--batch", metavar="N", help="Batch size to reshape to."),
    shape_option,
    inputs_option,
    _setting("--threads", metavar="N", help="Inference threads, in every runtime."),
    _setting(
        "--frames",
        metavar="N",
        help="Inputs that one inference processes. By default what a layout says, or the first dimension"
        " where all inputs and outputs share it, and otherwise one.",
    ),
    _setting(
        "--feed",
        type=click.Choice(["each", "copied", "preset"]),
        help="Hand inputs over with each inference, as an application does (the default), let the call copy"
        " them, as infer() does unless it is told to share them, or set them once, as benchmark_app does.",
    ),
    _setting(
        "--steps",
        metavar="N",
        help="Inferences between two resets of the state that a model keeps. By default 1; with more a"
        " latency is that of the whole sequence.",
    ),
    allow_pickle_option,
)
"""How models run. The same settings can be written on one variant: ``model.xml@requests=4``."""

common_options = _together(wait_option, json_option, debug_option)
"""How to wait for the machine and how to print what was measured."""

session_options = _together(
    time_option(
        "--budget",
        default="20s",
        help="Time for the session, loading included, shared by all variants.",
    ),
    click.option(
        "--precision",
        type=SHARE,
        default="2%",
        show_default=True,
        metavar="SHARE",
        help="Stop earlier once the 95 % intervals of the ratios to the first variant, or of one model's"
        " throughput, reach no further than this to either side.",
    ),
    click.option("--verbose", "-v", is_flag=True, help="Show all effective properties."),
    common_options,
)
"""How long and how precisely to measure, and how to print it."""
