"""What ``--json`` prints: the same as the tables, complete and without rounding."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from optguide.errors import NotEnoughSamples, OptGuideError, OptionError

if TYPE_CHECKING:
    from optguide.cli.session import Measured
    from optguide.measuring.comparison import Comparison

__all__ = ["PERCENTILES", "SCHEMA", "emit", "session"]

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
        "control": _comparison(measured.control) if measured.control else None,
        "failures": [_failure(name, error) for name, error in result.failures.items()],
        "warnings": measured.warnings,
    }


def _variant(measured: Measured, name: str) -> dict[str, Any]:
    result, series = measured.result, measured.result.series[name]
    return {
        "name": name,
        "variant": series.variant.to_dict(evidence=True),
        "latency": {f"p{percentile}": _latency(measured, name, percentile) for percentile in PERCENTILES},
        "throughput": asdict(result.throughput(name)),
        "cpu_time": asdict(result.cpu_time(name)),
        "peak_rss": series.peak_rss,
        "load_seconds": series.load_seconds,
        "frames": series.frames,
        "effective": dict(series.effective),
        "versions": dict(series.versions),
    }


def _latency(measured: Measured, name: str, percentile: int) -> dict[str, Any] | None:
    try:
        return asdict(measured.result.latency(name, percentile))
    except NotEnoughSamples:
        return None


def _against_first(measured: Measured, name: str) -> dict[str, Any]:
    result, first = measured.result, measured.first
    try:
        agreement = asdict(result.agreement(first, name))
    except OptionError:
        agreement = None
    return {
        "first": first,
        "variant": name,
        "latency": _comparison(result.compare(first, name, "latency")),
        "throughput": _comparison(result.compare(first, name, "throughput")),
        "agreement": agreement,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return asdict(comparison) | {"verdict": comparison.verdict}


def _failure(name: str, error: OptGuideError) -> dict[str, str]:
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
