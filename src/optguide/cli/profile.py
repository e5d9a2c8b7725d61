"""``optguide profile MODEL``: which layers take how long, and in which precision each one runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from optguide import format as fmt
from optguide.bench.layers import LayerTimes, layers
from optguide.bench.variant import Variant
from optguide.cli import output
from optguide.cli.options import common_options, models_argument, settings_options, time_option
from optguide.cli.session import machine_held, read_variants, subject
from optguide.errors import OptionError
from optguide.machine import Machine
from optguide.machine.noise import busy_warnings
from optguide.stats.estimate import Estimate

NAME_WIDTH = 44
"""Of a layer's name in the table. Layers of one network begin alike: the end tells them apart."""

EPILOG = """\b
Examples:
  optguide profile model.xml
  optguide profile model.xml --top 30 --precision-hint f32
  optguide profile fp32.xml int8.xml
  optguide profile model.xml @INFERENCE_PRECISION_HINT=f32 --json

\b
Settings of a variant are those of `optguide compare`.
"""


@click.command(epilog=EPILOG)
@models_argument
@click.option(
    "--top", type=int, default=12, show_default=True, metavar="N", help="How many layers to list one by one."
)
@time_option(
    "--budget",
    default="8s",
    help="Time for counted inferences, shared by all variants; compiling comes on top.",
)
@settings_options
@common_options
def profile(variants: tuple[str, ...], top: int, budget: float, **options: Any) -> None:
    """Show which layers of a model take how long, and in which precision each one runs.

    Layers are those that were compiled: what OpenVINO fused into another layer is in that one's time.
    Variants are written as for `optguide compare`; the others' kinds of layers are compared with the first's.
    """
    if top < 1:
        raise OptionError(f"--top {top} lists no layer.", "Use a number from 1.")
    built = read_variants(variants, options, single_calls="Layers are counted one inference after another")
    label = f"layers of {subject(built)}"
    with machine_held(f"optguide {label}", options["wait"]):
        times = layers(built, seconds=budget, label=label)
    output.deliver(
        "profile",
        as_json=options["as_json"],
        content=lambda: _content(times, built, budget),
        tables=lambda: _print(times, top),
        warnings=busy_warnings(times.others_share),
        failures=times.failures,
    )


def _print(times: LayerTimes, top: int) -> None:
    names = list(times.rounds)
    for name in names:
        output.table(
            f"{name}: the slowest layers (95 % interval)",
            ("Layer", "Kind", "Precision", "Time per inference", ">Share"),
            _layer_rows(times, name, top),
        )
    if len(names) == 1:
        output.table(
            f"{names[0]}: by kind and precision",
            ("Kind", "Precision", ">Layers", "Time per inference", ">Share"),
            _kind_rows(times, names[0]),
        )
    for name in names[1:]:
        output.table(
            f"{name} against {names[0]}: above 1 is better (95 % interval)",
            ("Kind", names[0], name, "Ratio"),
            _ratio_rows(times, names[0], name),
        )
    for name in names:
        output.paragraph(_closing(times, name))
    output.input_lines(times.inputs)
    output.machine_line(times.versions)


def _layer_rows(times: LayerTimes, name: str, top: int) -> list[list[str]]:
    layers = times.of(name)
    cut = top if len(layers) > top + 1 else len(layers)  # a last row for one layer would only hide its name
    rows = [
        [_end_of(row.title), row.kind, row.precision, _time(row.time), _share(times, name, [row.name])]
        for row in layers[:cut]
    ]
    if others := [layer.name for layer in layers[cut:]]:
        share = _share(times, name, others)
        rows.append([f"{len(others)} other layers", "", "", _time(times.together(name, others)), share])
    return rows


def _kind_rows(times: LayerTimes, name: str) -> list[list[str]]:
    rows = [
        [kind.kind, kind.precision, str(len(kind.layers)), _time(kind.time), _share(times, name, kind.layers)]
        for kind in times.kinds(name)
    ]
    return [*rows, ["All", "", str(len(times.of(name))), _time(times.total(name)), ""]]


def _ratio_rows(times: LayerTimes, first: str, name: str) -> list[list[output.Cell]]:
    """One row per kind of layer, with the precisions and the time in both variants."""
    rows: list[list[output.Cell]] = []
    for kind in (*_kinds(times, first, name), None):
        comparison = times.compare(first, name, kind)
        ratio = output.comparison_cell(comparison) if comparison else ""
        rows.append([kind or "All", _of_kind(times, first, kind), _of_kind(times, name, kind), ratio])
    return rows


def _kinds(times: LayerTimes, first: str, name: str) -> list[str]:
    return list(dict.fromkeys(kind.kind for variant in (first, name) for kind in times.kinds(variant)))


def _of_kind(times: LayerTimes, name: str, kind: str | None) -> str:
    """Time and precisions of the layers of a kind; a dash where there are none."""
    groups = [group for group in times.kinds(name) if kind in (None, group.kind)]
    if not groups:
        return output.MISSING
    members = [layer for group in groups for layer in group.layers]
    time = _time(times.together(name, members))
    if kind is None:
        return time
    counts = ", ".join(f"{len(group.layers)} in {group.precision}" for group in groups)
    return f"{time}\n{counts}"


def _closing(times: LayerTimes, name: str) -> str:
    rounds = times.rounds[name]
    counted = f"{sum(turn.calls for turn in rounds):,} inferences counted in {len(rounds)} rounds"
    sets = len({turn.generation for turn in rounds})
    processes = f" of {sets} processes" if sets > 1 else " of one process"
    latency = fmt.estimate(times.latency(name).scaled(1e-3, "ms"))
    return (
        f"{name}: {counted}{processes}. An inference takes {latency}"
        f" while it is counted, its layers {fmt.estimate(times.total(name).scaled(1e-3, 'ms'))} of that."
    )


def _time(time: Estimate) -> str:
    # Counters are in whole microseconds, rounded down.
    return fmt.estimate(time) if time.value else "below 1 µs"


def _share(times: LayerTimes, name: str, members: Sequence[str]) -> str:
    return fmt.quantity(times.share(name, members).value, "share")


def _end_of(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else f"\N{HORIZONTAL ELLIPSIS}{name[1 - NAME_WIDTH :]}"


def _content(times: LayerTimes, variants: Sequence[Variant], budget: float) -> dict[str, Any]:
    names = list(times.rounds)
    return {
        "machine": Machine.current().to_dict(),
        "budget": {"seconds": budget},
        "versions": times.versions,
        "others_share": times.others_share,
        "variants": [_variant(times, variant) for variant in variants if variant.name in names],
        "comparisons": [_comparison(times, names[0], name) for name in names[1:]],
        "failures": output.failure_fields(times.failures),
    }


def _variant(times: LayerTimes, variant: Variant) -> dict[str, Any]:
    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "rounds": len(times.rounds[name]),
        "inferences": sum(turn.calls for turn in times.rounds[name]),
        "inputs": times.inputs[name],
        "latency": times.latency(name),
        "total": times.total(name),
        "layers": [asdict(layer) | {"share": times.share(name, [layer.name])} for layer in times.of(name)],
        "kinds": [
            asdict(kind) | {"layers": len(kind.layers), "share": times.share(name, kind.layers)}
            for kind in times.kinds(name)
        ],
        "effective": times.effective[name],
    }


def _comparison(times: LayerTimes, first: str, name: str) -> dict[str, Any]:
    return {
        "first": first,
        "variant": name,
        "total": output.comparison_fields(times.compare(first, name)),
        "kinds": {
            kind: output.comparison_fields(times.compare(first, name, kind))
            for kind in _kinds(times, first, name)
        },
    }
