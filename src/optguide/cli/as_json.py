"""What ``--json`` prints: the same as the tables, complete and without rounding."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from optguide.errors import NotEnoughSamples, OptGuideError, OptionError

if TYPE_CHECKING:
    from optguide.cli.session import Measured
    from optguide.stats.comparison import Comparison
    from optguide.stats.estimate import Estimate

__all__ = ["PERCENTILES", "SCHEMA", "comparison", "emit", "estimate", "failure", "session"]

SCHEMA = 1
"""Version of the JSON form. Raise it whenever an older reader would misunderstand a newer answer."""

PERCENTILES = (50, 95, 99)


def emit(command: str, content: Mapping[str, Any]) -> None:
    """Print one object: schema, command and ``content``. What is not a finite number becomes null."""
    whole = {"schema": SCHEMA, "command": command, **content}
    click.echo(json.dumps(_plain(whole), indent=1, allow_nan=False, ensure_ascii=False))


def session(measured: Measured) -> dict[str, Any]:
    """A session: machine, budget, variants, comparisons with the first, control, failures, warnings."""
    from optguide.machine import Machine

    result = measured.result
    return {
        "machine": Machine.current().to_dict(),
        "budget": {"seconds": measured.budget, "precision": measured.precision},
        "session": {
            "ended": result.ended,
            "rounds": result.rounds,
            "measuring_seconds": result.seconds,
            "total_seconds": measured.seconds,
            "others_share": result.others_share,
        },
        "variants": [_variant(measured, name) for name in result.series if name != result.twin],
        "comparisons": [_against_first(measured, name) for name in measured.others],
        "control": comparison(measured.control) if measured.control else None,
        "failures": [failure(name, error) for name, error in result.failures.items()],
        "warnings": measured.warnings,
    }


def _variant(measured: Measured, name: str) -> dict[str, Any]:
    result, series = measured.result, measured.result.series[name]
    return {
        "name": name,
        "variant": series.variant.to_dict(evidence=True),
        "latency": {f"p{p}": estimate(partial(result.latency, name, p)) for p in PERCENTILES},
        "throughput": asdict(result.throughput(name)),
        "cpu_time": asdict(result.cpu_time(name)),
        "peak_rss": series.peak_rss,
        "load_seconds": series.load_seconds,
        "frames": series.frames,
        "effective": dict(series.effective),
        "versions": dict(series.versions),
    }


def _against_first(measured: Measured, name: str) -> dict[str, Any]:
    result, first = measured.result, measured.first
    try:
        agreement = asdict(result.agreement(first, name))
    except OptionError:
        agreement = None
    return {
        "first": first,
        "variant": name,
        "latency": comparison(result.compare(first, name, "latency")),
        "throughput": comparison(result.compare(first, name, "throughput")),
        "agreement": agreement,
    }


def estimate(found: Callable[[], Estimate]) -> dict[str, Any] | None:
    """What ``found`` returns; null where too little was measured for it."""
    try:
        return asdict(found())
    except NotEnoughSamples:
        return None


def comparison(found: Comparison) -> dict[str, Any]:
    """A comparison with its verdict."""
    return asdict(found) | {"verdict": found.verdict}


def failure(name: str, error: OptGuideError) -> dict[str, str]:
    """A variant that was not measured, and why."""
    kind, message, remedy = type(error).__name__, error.message, error.remedy
    return {"name": name, "kind": kind, "message": message, "remedy": remedy}


def _plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value
