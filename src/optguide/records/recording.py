"""Collecting the results of one example, those of its sessions among them."""

from __future__ import annotations

import math
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optguide import plots
from optguide.errors import (
    ClaimError,
    DeviceError,
    EnvironmentMissing,
    NotEnoughSamples,
    PropertyError,
    RecordsError,
)
from optguide.machine import Machine
from optguide.paths import impersonal, records_dir
from optguide.records import figures
from optguide.records import reading as summary
from optguide.records.model import (
    SCHEMA,
    Figure,
    Record,
    Result,
    Table,
    check_id,
    check_pattern,
    comparison_evidence,
    result_of,
)
from optguide.records.reading import calling_script
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import Estimate
from optguide.storage import encode_json, replace_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from optguide.bench.cold_start import ColdStart
    from optguide.bench.result import SessionResult
    from optguide.bench.variant import Variant

BUILD_VARIABLE = "OPTGUIDE_BUILD_ID"
"""Environment variable with the identifier that all records of one build share."""

PROFILE_VARIABLE, DEFAULT_PROFILE = "OPTGUIDE_PROFILE", "quick"
"""Environment variable that names the profile of a build; :mod:`optguide.guide.profiles` defines it."""

Entry = tuple[Any, str] | tuple[float, str, str]
"""A quantity and its label, or a number, its unit and its label."""

_EXAMPLE = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+")
_NAME = re.compile(r"[a-z0-9_-]+")


class Recording:
    """The results of one example, kept in memory until :meth:`publish` makes them visible in one step.

    Identifiers are lower-case parts with dots between, such as ``frameworks.torch_eager.latency.p50``. Every
    identifier is given once, either with a result or with the reason why this machine cannot measure it.

    :param example: ``chapter/name``; the record becomes ``records/chapter/name.json``.
    :param declares: identifiers, or patterns of :mod:`fnmatch`, that the example promises to record.
    :param root: the build folder; :func:`optguide.paths.build_dir` by default.
    :raises ClaimError: ``example`` has another form.
    """

    def __init__(self, example: str, *, declares: Sequence[str], root: Path | None = None) -> None:
        if not _EXAMPLE.fullmatch(example):
            raise ClaimError(f"{example!r} is no name of an example.", "Use the form `chapter/name`.")
        self.example = example
        self._declares = tuple(declares)
        # Absolute, because an example may change its working folder before it publishes.
        self._target = records_dir(root).absolute() / f"{example}.json"
        # Read now: an editor may change the file while its example is running.
        self._script, self._digest = calling_script(sys._getframe(1))
        self._started = _now()
        self._results: dict[str, Result] = {}
        self._unavailable: dict[str, str] = {}
        self._figures: dict[str, figures.StagedFigure] = {}
        self._tables: dict[str, Table] = {}

    def add(
        self,
        id: str,  # noqa: A002 - the word that pages and claims use for it
        measured: Estimate | Comparison | float,
        *,
        unit: str = "count",
        label: str = "",
        evidence: Mapping[str, Any] | None = None,
        above: str = "",
    ) -> None:
        """Record an estimate, a number without spread, or the ratio of a comparison with what is known of it.

        The ratio of CPU times of a comparison that says what is *faster* goes under ``id.cpu``.

        :param unit: of a number without spread, such as ``bytes``.
        :param label: name in tables; the identifier by default, and of a comparison its two variants.
        :param evidence: JSON that explains the value; paths are kept relative to the checkout.
        :param above: the word for a ratio above one, such as ``"longer"``: pages then say
            "1.22x longer", or "1.22x shorter" of its reciprocal.
        :raises ClaimError: ``id`` is no identifier.
        :raises RecordsError: ``id`` was given before, or a number is not finite.
        """
        if isinstance(measured, Comparison):
            label = label or f"{measured.b} against {measured.a}"
            evidence = comparison_evidence(measured) | dict(evidence or {})
            self.add(id, measured.ratio, label=label, evidence=evidence, above=above)
            if measured.cpu_ratio is not None and above == "faster":
                label = f"{label}, CPU time"
                self.add(f"{id}.cpu", measured.cpu_ratio, label=label, evidence=evidence, above=above)
            return
        if isinstance(measured, int | float):
            measured = Estimate(measured, measured, measured, unit, 1, "counted")
        self._check_new(check_id(id))
        self._results[id] = result_of(measured, id, label=label, evidence=evidence, above=above)

    def values(
        self,
        prefix: str,
        entries: Mapping[str, Entry],
        *,
        above: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Record each of ``entries`` under ``prefix`` and its key, such as ``batch`` and ``streams.size``.

        An entry is a quantity with its label: an estimate, a comparison, or a count without spread. A number
        of another unit stands with it: ``(0.5, "share", "Outputs that are zero")``. A comparison says how
        many times *faster* its ``b`` is, and its ratio of CPU times goes under ``<key>.cpu``. A quantity that
        the machine may lack, or that needs many samples, is a function without arguments: if it raises, the
        reason is recorded.

        :param above: the word for ratios above one, such as ``"longer"``; see :class:`Result`.
        :param evidence: JSON that explains all of them, beside what a comparison says itself.
        :returns: the quantities by label, for a figure; of a comparison its ratio.
        :raises ClaimError: prefix and key are no identifier.
        :raises RecordsError: an identifier was given before, or a number is not finite.
        """
        rows = {}
        for key, (quantity, *unit, label) in entries.items():
            with self.attempt(f"{prefix}.{key}") as identifier:
                value = quantity() if callable(quantity) else quantity
                word = above or ("faster" if isinstance(value, Comparison) else "")
                unit_name = (*unit, "count")[0]
                self.add(identifier, value, unit=unit_name, label=label, evidence=evidence, above=word)
                rows[label] = value.ratio if isinstance(value, Comparison) else value
        return rows

    def session(
        self,
        prefix: str,
        result: SessionResult | Literal[False],
        parts: Mapping[str, Variant | str],
        *,
        percentiles: Sequence[float] = (50,),
        title: str = "",
    ) -> None:
        """Record every quantity of a session.

        The variant of part ``p`` gets ``prefix.p.latency.p50`` (ms, for every percentile asked for),
        ``prefix.p.throughput`` (inferences/s) and ``prefix.p.cpu_time`` (ms per inference); the A/A control,
        if any, becomes ``prefix.control``. What a missing device or environment or too few samples leave open
        becomes unavailable with the reason; any other failure of a variant is raised.

        :param result: the session; false where the profile leaves it out, which is then the reason.
        :param parts: part of the identifier to variant, or to its name; other variants are left out.
        :param title: beginning of all labels, where an example has several sessions.
        :raises OptionError: the session had no such variant; the other errors are those of :meth:`values`.
        """
        if not result:
            self._leave_out(f"{prefix}.{part}.*" for part in parts)
            return
        before = f"{title}, " if title else ""
        for part, variant in parts.items():
            name = _name_of(variant)
            entries: dict[str, Entry] = {
                f"{part}.{suffix}": (estimate, f"{before}{name}: {words}")
                for suffix, words, estimate in _quantities(result, name, percentiles)
            }
            self.values(prefix, entries, evidence=_evidence(result, name))
        with self.attempt(f"{prefix}.control") as identifier:
            if control := result.control:
                self.add(identifier, control, label=f"{before}{control.a} against itself", above="faster")

    def starts(
        self,
        prefix: str,
        result: ColdStart,
        parts: Mapping[str, Variant],
        stages: Sequence[str],
    ) -> None:
        """Record what the starts of each variant took.

        The variant of part ``p`` gets ``prefix.p.<stage>``. What a missing device leaves open becomes
        unavailable with the reason.

        :param parts: part of the identifier to variant.
        :param stages: stages or sums of :mod:`optguide.bench.cold_start` (ms), and kinds of memory (bytes).
        :raises OptionError: there was no such variant or stage; the other errors are those of :meth:`values`.
        """
        for part, variant in parts.items():
            entries: dict[str, Entry] = {}
            for stage in stages:
                estimate = result.memory if stage in FOOTPRINTS else result.estimate
                label = f"{variant.name}: {stage}"
                entries[f"{part}.{stage}"] = (partial(estimate, variant.name, stage), label)
            self.values(prefix, entries, evidence={"variant": variant.to_dict(evidence=True)})

    def ratios(
        self,
        prefix: str,
        result: SessionResult | ColdStart | Literal[False],
        pairs: Mapping[str, tuple[Variant | str, Variant | str]],
        quantity: str = "latency",
        *,
        above: str = "faster",
        title: str = "",
        caption: str = "",
    ) -> dict[str, Estimate]:
        """Record, for each pair ``(a, b)`` of variants of one session, how ``b`` compares with ``a``.

        Above one, ``b`` is *faster*: shorter latency, higher throughput or less CPU time; the ratio of CPU
        times goes under ``<key>.cpu``. With another word it says what that word says: above one, ``b`` takes
        *longer* than ``a``, or is *smaller*. What a missing device leaves open becomes unavailable with the
        reason.

        :param result: the session; false where the profile leaves it out, which is then the reason.
        :param pairs: last part of the identifier to the two variants, or to their names.
        :param title: beginning of all labels, where an example has several sessions.
        :param caption: text below the figure ``ratios``, a forest plot of them; without it there is none.
        :returns: the ratios by label, for a figure.
        :raises OptionError: the session had no such variant; the other errors are those of :meth:`values`.
        """
        if not result:
            self._leave_out(f"{prefix}.{key}" for key in pairs)
            return {}
        before = f"{title}, " if title else ""
        memory = getattr(result, "compare_memory", None) if quantity in FOOTPRINTS else None
        forward = above in (("faster", "more") if quantity == "throughput" else FALLING)
        entries: dict[str, Entry] = {}
        for key, pair in pairs.items():
            a, b = map(_name_of, pair)
            compare = partial(memory or result.compare, *((a, b) if forward else (b, a)), quantity)
            entries[key] = (compare, f"{before}{b} against {a}, {quantity}")
        rows = self.values(prefix, entries, above=above)
        rows = {label.removesuffix(f", {quantity}"): ratio for label, ratio in rows.items()}
        if caption:
            draw = partial(plots.ratios, [*rows.items()], quantity=quantity.capitalize(), above=above)
            self.figure("ratios", draw, alt=f"Forest plot: {', '.join(rows)}.", caption=caption)
        return rows

    def unavailable(self, pattern: str, reason: str) -> None:
        """State that this machine cannot measure what ``pattern`` matches, and why.

        What is recorded all the same counts: ``batch.gpu.*`` covers the identifiers that are not.

        :param pattern: an identifier, or a pattern of :mod:`fnmatch` such as ``batch.gpu.*``.
        :param reason: a clause or sentence for readers, such as "this machine has no GPU".
        :raises ClaimError: ``pattern`` is neither.
        :raises RecordsError: it was given before, or there is no reason.
        """
        self._check_new(check_pattern(pattern))
        if not reason.strip():
            raise RecordsError(f"{pattern} is unavailable without a reason.", "Say what this machine lacks.")
        self._unavailable[pattern] = impersonal(reason)

    def _leave_out(self, patterns: Iterable[str]) -> None:
        for pattern in patterns:
            self.unavailable(pattern, LEFT_OUT)

    @contextmanager
    def attempt(self, pattern: str) -> Iterator[str]:
        """Do what is inside the block; what the machine lacks for it makes ``pattern`` unavailable.

        A missing device or environment, a property that the device does not know, or too few samples end the
        block and become the reason. Any other error is raised.
        """
        try:
            yield pattern
        except (*ABSENT, NotEnoughSamples) as error:
            self.unavailable(pattern, error.message)

    def figure(self, name: str, draw: Callable[[], Drawing], *, alt: str, caption: str) -> Drawing:
        """Draw a figure for light and for dark pages.

        :param name: unique within the example, of a-z, 0-9, ``_`` and ``-``.
        :param draw: makes the figure; called once, under the light :func:`optguide.plots.style`.
        :param alt: description of the figure for readers who do not see it.
        :param caption: text below it.
        :returns: the light figure, still open, so that notebooks and the gallery show it.
        :raises RecordsError: the name is taken or malformed, or a text is missing.
        :raises StorageError: the files cannot be written.
        """
        _check_name("figure", name, self._figures)
        if not (alt.strip() and caption.strip()):
            raise RecordsError(
                f"The figure {name!r} lacks its alt text or caption.", "Describe what it shows in both."
            )
        staged, drawing = figures.stage(self.example, name, draw, alt=alt, caption=caption)
        self._figures[name] = staged
        return drawing

    def table(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str | Estimate]],
        *,
        caption: str,
    ) -> None:
        """Record a small table.

        :raises RecordsError: the name is taken or malformed, or a row has another length than ``columns``.
        """
        _check_name("table", name, self._tables)
        if any(len(row) != len(columns) for row in rows):
            raise RecordsError(
                f"A row of the table {name!r} has not {len(columns)} cells.", "Give one cell per column."
            )
        cells = (
            tuple(cell if isinstance(cell, str) else result_of(cell, f"a cell of {name}") for cell in row)
            for row in rows
        )
        self._tables[name] = Table(caption, tuple(columns), tuple(cells))

    def publish(self) -> Path:
        """Make the record and its figures visible in one step, and print the results.

        :returns: the JSON file.
        :raises RecordsError: what was recorded is not what was declared.
        :raises StorageError: a full disk or a folder that cannot be written; an older record stays as it was.
        """
        self._check_declared()
        entries = {name: staged.files() for name, staged in self._figures.items()}
        record = self._record({name: entry for name, (entry, _) in entries.items()})
        content = {file: data for _, files in entries.values() for file, data in files.items()}
        replace_record(self._target, encode_json(record), content)
        print(summary.text(record))
        return self._target

    def _record(self, drawn: Mapping[str, Figure]) -> Record:
        machine = Machine.current()
        return Record(
            schema=SCHEMA,
            example=self.example,
            script=self._script,
            script_sha256=self._digest,
            profile=os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE),
            build=os.environ.get(BUILD_VARIABLE) or uuid.uuid4().hex,
            started=self._started,
            finished=_now(),
            machine=machine.to_dict(),
            machine_id=machine.machine_id,
            results=self._results,
            unavailable=self._unavailable,
            figures=drawn,
            tables=self._tables,
        )

    def _check_new(self, identifier: str) -> None:
        if identifier in self._results or identifier in self._unavailable:
            raise RecordsError(f"{identifier} is recorded twice.", "Give every result its own identifier.")

    def _check_declared(self) -> None:
        recorded = [*self._results, *self._unavailable]
        missing = [want for want in self._declares if not any(fnmatchcase(id_, want) for id_ in recorded)]
        extra = [id_ for id_ in recorded if not any(fnmatchcase(id_, want) for want in self._declares)]
        problems = [
            f"{verb} {', '.join(ids)}"
            for verb, ids in (("did not record", missing), ("did not declare", extra))
            if ids
        ]
        if problems:
            raise RecordsError(
                f"{self.example} {' and '.join(problems)}.",
                "Make `declares` and what the example records agree.",
            )


def _check_name(kind: str, name: str, recorded: Mapping[str, object]) -> None:
    if not _NAME.fullmatch(name):
        raise RecordsError(f"{name!r} is no name of a {kind}.", "Use a-z, 0-9, _ and - only.")
    if name in recorded:
        raise RecordsError(f"The {kind} {name!r} is recorded twice.", f"Give every {kind} its own name.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


LEFT_OUT = "the quick profile leaves it out"
"""Why a quick build has no result that only the full one measures."""

FOOTPRINTS = ("peak", "private")
"""Quantities of a start that are memory; the others are times."""

FALLING = ("faster", "shorter", "smaller", "less")
"""Words for a ratio above one where the second of two costs is the lower one."""

ABSENT = (DeviceError, EnvironmentMissing, PropertyError)
"""What a machine may lack. Any other failure, such as a worker that was killed, is one of the build."""


def _name_of(variant: Variant | str) -> str:
    return variant if isinstance(variant, str) else variant.name


def _quantities(
    result: SessionResult, name: str, percentiles: Sequence[float]
) -> Iterator[tuple[str, str, Callable[[], Estimate]]]:
    """Last part of the identifier, words for readers, and how to get the estimate."""
    for percentile in percentiles:
        tag = f"{percentile:g}"
        words = "median latency" if percentile == 50 else f"p{tag} latency"
        # p99.9 has a dot, which would split the identifier.
        yield f"latency.p{tag.replace('.', '_')}", words, partial(result.latency, name, percentile)
    yield "throughput", "throughput", partial(result.throughput, name)
    yield "cpu_time", "CPU time per inference", partial(result.cpu_time, name)


def _evidence(result: SessionResult, name: str) -> dict[str, Any]:
    """What explains the numbers of a variant; nothing for one that failed."""
    series, share = result.series.get(name), result.others_share
    if series is None:
        return {}
    return {
        "variant": series.variant.to_dict(evidence=True),
        "effective": series.effective,
        "versions": series.versions,
        "rounds": result.rounds,
        "spoiled": result.spoiled,
        "ended": result.ended,
        "warnings": list(result.warnings),
        "others_share": None if math.isnan(share) else share,
        "load_seconds": None if math.isnan(series.load_seconds) else series.load_seconds,
        "peak_rss": series.peak_rss,
    }
