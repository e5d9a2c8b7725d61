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
from optguide.cli.variants import build, common_settings, parse
from optguide.errors import OptionError
from optguide.machine import Machine
from optguide.machine.lock import holder, measuring_lock
from optguide.machine.noise import busy_warnings
from optguide.stats.estimate import Estimate

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
    :param single_calls: why a command has no use for several requests in flight, where it has none: ``"A
        first inference is a single call"``.
    """
    specs, common = parse(texts), common_settings(options)
    if single_calls and any("requests" in settings for settings in (common, *(s.settings for s in specs))):
        raise OptionError(f"{single_calls}, so requests would change nothing.", "Leave it out.")
    return build(specs, common, allow_pickle=options["allow_pickle"])


def subject(variants: Sequence[Variant]) -> str:
    """The name of the only variant, or how many there are; for progress and for others who wait."""
    return variants[0].name if len(variants) == 1 else f"{len(variants)} variants"


@contextmanager
def machine_held(label: str, wait: float) -> Iterator[None]:
    """Hold the measuring lock, and print who holds it where that means waiting."""
    if wait and (current := holder()):
        click.echo(
            f"Waiting up to {fmt.duration(wait)} for process {current.pid} to end its measurement"
            f" ({current.purpose}).",
            err=True,
        )
    with measuring_lock(label, wait):
        yield


WORTH_SAYING = 0.05
"""Share of a call from which on handing over its inputs is named beside the number."""

SHORT_SECONDS = 1e-3
"""Calls shorter than this may be Python's time as much as OpenVINO's."""


@dataclass(frozen=True)
class SessionRun:
    """A session of closed loops and what a command knows about it.

    :param first: name of the first variant that was measured, to which the others are compared.
    :param seconds: wall time of everything, loading included.
    :param budget: the time that was allowed, and the precision at which it would have stopped.
    """

    result: SessionResult
    first: str
    seconds: float
    budget: Budget

    @property
    def others(self) -> list[str]:
        """The variants that are compared with the first."""
        return [name for name in self.result.series if name not in (self.first, self.result.twin)]

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason not to take the numbers at face value."""
        failure = self.result.failures.get(self.first + TWIN)
        missing = [] if failure is None else [f"There is no A/A control: {failure.message}"]
        busy = busy_warnings(self.result.others_share)
        return [*self.result.warnings, *missing, *self._input_warnings(), *busy]

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
            "budget": {"seconds": self.budget.seconds, "precision": self.budget.precision},
            "session": {
                "ended": result.ended,
                "rounds": result.rounds,
                "measuring_seconds": result.seconds,
                "total_seconds": self.seconds,
                "others_share": result.others_share,
            },
            "variants": [self._variant(name) for name in result.series if name != result.twin],
            "comparisons": [self._against_first(name) for name in self.others],
            "control": output.comparison_fields(result.control),
            "failures": output.failure_fields(result.failures),
            "warnings": self.warnings,
        }

    def _variant(self, name: str) -> dict[str, Any]:
        result, series = self.result, self.result.series[name]
        return {
            "name": name,
            "variant": series.variant.to_dict(evidence=True),
            "latency": {f"p{p}": output.if_enough(partial(result.latency, name, p)) for p in PERCENTILES},
            "throughput": result.throughput(name),
            "cpu_time": result.cpu_time(name),
            "peak_rss": series.peak_rss,
            "load_seconds": None if math.isnan(series.load_seconds) else series.load_seconds,
            "frames": series.frames,
            "inputs": asdict(series.inputs) | {"counted_by": series.first_call.counted_by or None},
            "overhead": {part: self._overhead(name, part) for part in ("inputs", "python")},
            "effective": series.effective,
            "versions": series.versions,
        }

    def _against_first(self, name: str) -> dict[str, Any]:
        result, first = self.result, self.first
        try:
            agreement = result.agreement(first, name)
        except OptionError:
            agreement = None
        ratios = {
            quantity: output.comparison_fields(result.compare(first, name, quantity))
            for quantity in ("latency", "throughput")
        }
        return {"first": first, "variant": name, **ratios, "agreement": agreement}

    def _overhead(self, name: str, part: str) -> Estimate | None:
        return output.if_enough(partial(self.result.overhead, name, part))

    def overhead_rows(self, name: str) -> Iterator[tuple[str, str, str]]:
        """What of a variant's calls is no inference, its share and a remark, where that is worth a word."""
        inputs, python = (self._overhead(name, part) for part in ("inputs", "python"))
        if inputs and inputs.low > WORTH_SAYING:
            yield "Handing over inputs", fmt.estimate(inputs), "of a call; --feed preset leaves it out"
        series = self.result.series[name]
        if python and series.frames / self.result.throughput(name).value < SHORT_SECONDS:
            yield "Python", fmt.estimate(python), "of a call: all that OpenVINO's own clock does not see"

    def print_effective(self, *, verbose: bool) -> None:
        """Print the properties that runtimes resolved; of several variants those in which they differ."""
        series = [self.result.series[name] for name in (self.first, *self.others)]
        keys = dict.fromkeys(key for one in series for key in one.effective if verbose or key in RELEVANT)
        rows = [[key, *(one.effective.get(key, output.MISSING) for one in series)] for key in keys]
        if self.others:
            # Where a package has one version, the closing lines have it.
            releases = self._releases().items()
            rows += [[name, *texts] for name, texts in releases if len({*texts} - {output.MISSING}) > 1]
            differing = [row for row in rows if len(set(row[1:])) > 1]
            columns = ("Property", self.first, *self.others)
            output.table("Effective properties that differ", columns, differing)
        else:
            output.table("Effective properties", ("Property", "Value"), rows)

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
        alike = {name: set(versions) - {output.MISSING} for name, versions in self._releases().items()}
        output.machine_line({name: texts.pop() for name, texts in alike.items() if len(texts) == 1})

    def _releases(self) -> dict[str, list[str]]:
        """Versions of each package that executed a model, by the order of the variants."""
        versions = [self.result.series[name].versions for name in (self.first, *self.others)]
        packages = dict.fromkeys(package for runtimes in versions for package in runtimes)
        return {
            name: [output.without_build(runtimes.get(name, output.MISSING)) for runtimes in versions]
            for name in packages
        }


def run_session(
    label: str,
    variants: Sequence[Variant],
    options: Mapping[str, Any],
    *,
    control: bool = False,
) -> SessionRun:
    """Measure ``variants`` in one session."""
    budget = Budget(options["budget"], options["precision"], overhead=True)
    with machine_held(f"optguide {label}", options["wait"]):
        start = time.perf_counter()
        result = measure(variants, budget, control=control, label=label)
        seconds = time.perf_counter() - start
    return SessionRun(result, next(iter(result.series)), seconds, budget)
