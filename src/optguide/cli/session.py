"""What commands that measure share: variants, the lock, and one session with its tables and its JSON."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import click

from optguide import format as fmt
from optguide.bench.load import PERCENTILES
from optguide.bench.result import TWIN, SessionResult
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.cli import output
from optguide.cli.variants import build, common_settings, parse, refuse
from optguide.errors import OptionError
from optguide.machine import Machine
from optguide.machine.lock import holder, measuring_lock
from optguide.machine.noise import LIMITS
from optguide.stats.comparison import Comparison

RELEVANT = (
    *("PERFORMANCE_HINT", "INFERENCE_PRECISION_HINT", "EXECUTION_MODE_HINT", "NUM_STREAMS"),
    *("INFERENCE_NUM_THREADS", "EXECUTION_DEVICES", "requests in flight"),
    *("providers", "intra_op_num_threads", "threads", "compiled"),
)
"""Effective properties that explain most differences in speed; the others come with ``--verbose``."""


def read_variants(
    texts: Sequence[str], options: Mapping[str, Any], *, single_calls: str = ""
) -> list[Variant]:
    """The variants in a command's arguments, under the settings that its options hold for all of them.

    :param options: values of :func:`optguide.cli.options.settings_options`.
    :param single_calls: why several requests in flight would change nothing, where they would not: ``"A first
        inference is a single call"``.
    :raises UserError: a setting, a model or an input file that cannot work.
    """
    specs, common = parse(texts), common_settings(options)
    if single_calls:
        refuse("requests", specs, common, single_calls)
    return build(specs, common, allow_pickle=options["allow_pickle"])


def subject(variants: Sequence[Variant]) -> str:
    """The name of the only variant, or how many there are; for progress and for others who wait."""
    return variants[0].name if len(variants) == 1 else f"{len(variants)} variants"


@contextmanager
def machine_held(label: str, wait: float) -> Iterator[None]:
    """Hold the measuring lock, and print who holds it where that means waiting.

    :param label: the measurement's name for others who find the machine held.
    :raises Busy: another measurement still runs after ``wait`` seconds.
    """
    if wait and (current := holder()):
        click.echo(
            f"Waiting up to {fmt.duration(wait)} for process {current.pid} to end its measurement"
            f" ({current.purpose}).",
            err=True,
        )
    with measuring_lock(label, wait):
        yield


def busy_warnings(others_share: float) -> list[str]:
    """A warning where other processes used so much of the machine that the numbers are theirs too.

    :param others_share: CPU time of other processes as a share of the whole machine's (0 to 1).
    """
    (limit,) = (limit for limit in LIMITS if limit.witness == "others_share")
    if not others_share > limit.noisy:
        return []
    return [
        f"{limit.sentence.format(fmt.quantity(others_share, limit.unit))} Latencies and throughputs are those"
        " of a busy machine."
    ]


@dataclass(frozen=True)
class SessionRun:
    """A session of closed loops and what a command knows about it.

    :param first: name of the first variant that was measured, to which the others are compared.
    :param seconds: wall time of everything, loading included.
    :param budget: seconds that were allowed, loading included.
    :param precision: relative half-width at which it would have stopped.
    """

    result: SessionResult
    first: str
    seconds: float
    budget: float
    precision: float

    @property
    def others(self) -> list[str]:
        """The variants that are compared with the first."""
        return [name for name in self.result.series if name not in (self.first, self.result.twin)]

    @property
    def control(self) -> Comparison | None:
        """The first variant against its second copy, where both were measured."""
        return self.result.control

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason not to take the numbers at face value."""
        failure = self.result.failures.get(self.first + TWIN)
        missing = [] if failure is None else [f"There is no A/A control: {failure.message}"]
        return [
            *self.result.warnings,
            *missing,
            *self._input_warnings(),
            *busy_warnings(self.result.others_share),
        ]

    def _input_warnings(self) -> Iterator[str]:
        """What is odd about outputs, and where variants count inputs differently."""
        series = {name: self.result.series[name] for name in (self.first, *self.others)}
        yield from dict.fromkeys(oddity for one in series.values() for oddity in one.first_call.oddities)
        for name in self.others:
            sides = (series[self.first], series[name])
            shapes = [sorted(one.inputs.shapes.values()) for one in sides]
            if shapes[0] == shapes[1] and sides[0].frames != sides[1].frames:
                yield (
                    f"An inference of {self.first} counts as {sides[0].frames} inputs and one of {name} as "
                    f"{sides[1].frames}, although they take the same; give --frames."
                )

    def content(self) -> dict[str, Any]:
        """The JSON form: machine, budget, variants, comparisons with the first, control, warnings."""
        result = self.result
        return {
            "machine": Machine.current().to_dict(),
            "budget": {"seconds": self.budget, "precision": self.precision},
            "session": {
                "ended": result.ended,
                "rounds": result.rounds,
                "measuring_seconds": result.seconds,
                "total_seconds": self.seconds,
                "others_share": result.others_share,
            },
            "variants": [self._variant(name) for name in result.series if name != result.twin],
            "comparisons": [self._against_first(name) for name in self.others],
            "control": output.comparison_fields(self.control),
            "failures": output.failure_fields(result.failures),
            "warnings": self.warnings,
        }

    def _variant(self, name: str) -> dict[str, Any]:
        result, series = self.result, self.result.series[name]
        return {
            "name": name,
            "variant": series.variant.to_dict(evidence=True),
            "latency": {
                f"p{p}": output.estimate_fields(partial(result.latency, name, p)) for p in PERCENTILES
            },
            "throughput": asdict(result.throughput(name)),
            "cpu_time": asdict(result.cpu_time(name)),
            "peak_rss": series.peak_rss,
            "load_seconds": None if math.isnan(series.load_seconds) else series.load_seconds,
            "frames": series.frames,
            "inputs": asdict(series.inputs) | {"counted_by": series.first_call.counted_by or None},
            "effective": dict(series.effective),
            "versions": dict(series.versions),
        }

    def _against_first(self, name: str) -> dict[str, Any]:
        result, first = self.result, self.first
        try:
            agreement = asdict(result.agreement(first, name))
        except OptionError:
            agreement = None
        return {
            "first": first,
            "variant": name,
            "latency": output.comparison_fields(result.compare(first, name, "latency")),
            "throughput": output.comparison_fields(result.compare(first, name, "throughput")),
            "agreement": agreement,
        }

    def print_effective(self, *, verbose: bool) -> None:
        """Print the properties that the runtime of the first variant resolved."""
        properties = self.result.series[self.first].effective
        rows = [(key, value) for key, value in properties.items() if verbose or key in RELEVANT]
        output.table("Effective properties", ("Property", "Value"), rows)

    def print_differences(self, *, verbose: bool) -> None:
        """Print the effective properties in which the variants differ, one column for each variant."""
        names = [self.first, *self.others]
        effective = {name: self.result.series[name].effective for name in names}
        keys = dict.fromkeys(key for properties in effective.values() for key in properties)
        rows = [
            [key, *(effective[name].get(key, output.MISSING) for name in names)]
            for key in keys
            if (verbose or key in RELEVANT) and len({effective[name].get(key) for name in names}) > 1
        ]
        output.table("Effective properties that differ", ("Property", *names), rows)

    def print_closing(self) -> None:
        """Print what the models were called with, how the session went and where it was measured."""
        result = self.result
        output.input_lines({name: result.series[name].inputs for name in (self.first, *self.others)})
        share = result.others_share
        others = "unknown" if math.isnan(share) else fmt.quantity(share, "share")
        output.paragraph(
            f"{result.rounds} rounds in {fmt.duration(result.seconds)} ({result.ended}), with loading"
            f" {fmt.duration(self.seconds)}. CPU used by other processes meanwhile: {others}."
        )
        output.machine_line(
            {name: text for series in result.series.values() for name, text in series.versions.items()}
        )


def run_session(
    label: str,
    variants: Sequence[Variant],
    options: Mapping[str, Any],
    *,
    control: bool = False,
) -> SessionRun:
    """Measure ``variants`` in one session.

    :param label: the measurement's name, for progress and for others who find the machine held.
    :param options: values of :func:`optguide.cli.options.session_options`.
    :param control: whether the first variant takes part a second time.
    :raises OptionError: no budget.
    :raises Busy: another measurement is running.
    :raises OptGuideError: every variant failed.
    """
    budget, precision = options["budget"], options["precision"]
    allowed = Budget(seconds=budget, precision=precision)
    with machine_held(f"optguide {label}", options["wait"]):
        start = time.perf_counter()
        result = measure(variants, allowed, control=control, label=label)
        seconds = time.perf_counter() - start
    return SessionRun(result, next(iter(result.series)), seconds, budget, precision)
