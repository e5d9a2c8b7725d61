"""What ``optguide profile`` prints: tables, or one JSON object.

``optguide profile MODEL``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import (
    Duration,
    debug_option,
    json_option,
    models_argument,
    settings_options,
    wait_option,
)
from optguide.errors import OptionError

__all__ = ["emit", "profile", "show"]

if TYPE_CHECKING:
    from optguide.bench.layers import LayerTimes
    from optguide.bench.variant import Variant
    from optguide.cli.output import Cell
    from optguide.stats.estimate import Estimate


NAME_WIDTH = 44
"""Of a layer's name in the table. Layers of one network begin alike: the end tells them apart."""


def show(times: LayerTimes, top: int) -> None:
    """Print the slowest layers of each variant, and kinds of layers."""
    from optguide.cli import output as render
    from optguide.machine import Machine

    names = list(times.rounds)
    for name in names:
        render.table(
            f"{name}: the slowest layers (95 % interval)",
            ("Layer", "Kind", "Precision", "Time per inference", ">Share"),
            _layer_rows(times, name, top),
        )
    if len(names) == 1:
        render.table(
            f"{names[0]}: by kind and precision",
            ("Kind", "Precision", ">Layers", "Time per inference", ">Share"),
            _kind_rows(times, names[0]),
        )
    for name in names[1:]:
        render.table(
            f"{name} against {names[0]}: above 1 is better (95 % interval)",
            ("Kind", names[0], name, "Ratio"),
            _against(times, names[0], name),
        )
    for name in names:
        render.paragraph(_closing(times, name))
    versions = ", ".join(f"{key} {version.partition('-')[0]}" for key, version in times.versions.items())
    render.paragraph(f"{Machine.current().summary()}; {versions}.")


def _layer_rows(times: LayerTimes, name: str, top: int) -> list[tuple[str, ...]]:
    found = times.of(name)
    cut = top if len(found) > top + 1 else len(found)  # a last row for one layer would only hide its name
    rows: list[tuple[str, ...]] = [
        (
            _end_of(layer.title),
            layer.kind,
            layer.precision,
            _time(layer.time),
            _share(times, name, [layer.name]),
        )
        for layer in found[:cut]
    ]
    if rest := [layer.name for layer in found[cut:]]:
        share = _share(times, name, rest)
        rows.append((f"{len(rest)} other layers", "", "", _time(times.together(name, rest)), share))
    return rows


def _kind_rows(times: LayerTimes, name: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (kind.kind, kind.precision, str(len(kind.layers)), _time(kind.time), _share(times, name, kind.layers))
        for kind in times.kinds(name)
    ]
    return [*rows, ("All", "", str(len(times.of(name))), _time(times.total(name)), "")]


def _against(times: LayerTimes, first: str, name: str) -> list[list[Cell]]:
    """One row per kind of layer, with the precisions and the time in both."""
    from optguide import format as fmt
    from optguide.cli import output as render

    rows: list[list[Cell]] = []
    kinds = dict.fromkeys(kind.kind for variant in (first, name) for kind in times.kinds(variant))
    for kind in (*kinds, None):
        found = times.compare(first, name, kind)
        ratio: Cell = ""
        if found is not None:
            ratio = render.verdict(found.verdict, f"{fmt.estimate(found.ratio)}\n{found.verdict}")
        rows.append([kind or "All", _of_kind(times, first, kind), _of_kind(times, name, kind), ratio])
    return rows


def _of_kind(times: LayerTimes, name: str, kind: str | None) -> str:
    """Time and precisions of the layers of a kind; a dash where there are none."""
    found = [group for group in times.kinds(name) if kind in (None, group.kind)]
    if not found:
        return "\N{EN DASH}"
    members = [layer for group in found for layer in group.layers]
    time = _time(times.together(name, members))
    if kind is None:
        return time
    counts = ", ".join(f"{len(group.layers)} in {group.precision}" for group in found)
    return f"{time}\n{counts}"


def _closing(times: LayerTimes, name: str) -> str:
    from optguide import format as fmt

    rounds = times.rounds[name]
    counted = f"{sum(turn.calls for turn in rounds):,} inferences counted in {len(rounds)} rounds"
    anew = ", compiled anew for each" if times.anew else ""
    return (
        f"{name}: {counted}{anew}. An inference takes {fmt.estimate(times.latency(name).scaled(1e-3, 'ms'))}"
        f" while it is counted, its layers {fmt.estimate(times.total(name).scaled(1e-3, 'ms'))} of that."
    )


def _time(time: Estimate) -> str:
    from optguide import format as fmt

    # Counters are in whole microseconds, rounded down.
    return fmt.estimate(time) if time.value else "below 1 µs"


def _share(times: LayerTimes, name: str, members: Sequence[str]) -> str:
    from optguide import format as fmt

    return fmt.quantity(times.share(name, members).value, "share")


def _end_of(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else f"\N{HORIZONTAL ELLIPSIS}{name[1 - NAME_WIDTH :]}"


def emit(times: LayerTimes, variants: Sequence[Variant], budget: float) -> None:
    """Print the same as JSON, with every layer."""
    from optguide.cli import as_json
    from optguide.machine import Machine

    names = list(times.rounds)
    as_json.emit(
        "profile",
        {
            "machine": Machine.current().to_dict(),
            "budget": {"seconds": budget},
            "versions": dict(times.versions),
            "others_share": times.others_share,
            "variants": [_variant(times, variant) for variant in variants if variant.name in names],
            "comparisons": [_comparison(times, names[0], name) for name in names[1:]],
            "failures": [as_json.failure(name, error) for name, error in times.failures.items()],
        },
    )


def _variant(times: LayerTimes, variant: Variant) -> dict[str, Any]:
    name = variant.name
    return {
        "name": name,
        "variant": variant.to_dict(evidence=True),
        "rounds": len(times.rounds[name]),
        "inferences": sum(turn.calls for turn in times.rounds[name]),
        "latency": asdict(times.latency(name)),
        "total": asdict(times.total(name)),
        "layers": [
            asdict(layer) | {"share": asdict(times.share(name, [layer.name]))} for layer in times.of(name)
        ],
        "kinds": [
            {"kind": kind.kind, "precision": kind.precision, "layers": len(kind.layers)}
            | {"time": asdict(kind.time), "share": asdict(times.share(name, kind.layers))}
            for kind in times.kinds(name)
        ],
        "effective": dict(times.effective[name]),
    }


def _comparison(times: LayerTimes, first: str, name: str) -> dict[str, Any]:
    from optguide.cli import as_json

    kinds = dict.fromkeys(kind.kind for variant in (first, name) for kind in times.kinds(variant))
    ratios = {kind: times.compare(first, name, kind) for kind in kinds}
    total = times.compare(first, name)
    return {
        "first": first,
        "variant": name,
        "total": as_json.comparison(total) if total else None,
        "kinds": {kind: as_json.comparison(found) if found else None for kind, found in ratios.items()},
    }


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
@click.option(
    "--budget",
    type=Duration(),
    default="8s",
    show_default=True,
    metavar="TIME",
    help="Time for counted inferences, shared by all variants; compiling comes on top.",
)
@settings_options
@wait_option
@json_option
@debug_option
def profile(variants: tuple[str, ...], top: int, budget: float, **options: Any) -> None:
    """Show which layers of a model take how long, and in which precision each one runs.

    Layers are those that were compiled: what OpenVINO fused into another layer is in that one's time.
    Variants are written as for `optguide compare`; the others' kinds of layers are compared with the first's.
    """
    from optguide.bench.layers import layers
    from optguide.cli.errors import report_failures, warn
    from optguide.cli.session import busy, machine_held
    from optguide.cli.variants import build, common_settings, parse, refuse

    specs, common = parse(variants), common_settings(options)
    refuse("requests", specs, common, "Layers are counted one inference after another")
    if top < 1:
        raise OptionError(f"--top {top} lists no layer.", "Use a number from 1.")
    if not budget > 0:
        raise OptionError("A budget of 0 counts nothing.", "Use a budget above zero.")
    built = build(specs, common, allow_pickle=options["allow_pickle"])
    label = f"layers of {built[0].name}" if len(built) == 1 else f"layers of {len(built)} variants"
    with machine_held(f"optguide {label}", options["wait"]):
        times = layers(built, seconds=budget, label=label)
    if options["as_json"]:
        emit(times, built, budget)
    else:
        show(times, top)
    for sentence in busy(times.others_share):
        warn(sentence)
    report_failures(times.failures)
