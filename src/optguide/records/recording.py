"""Collecting the results of one example.

The results of one interleaved session as entries of a recording.
"""

from __future__ import annotations

import math
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optguide.errors import (
    ClaimError,
    DeviceError,
    EnvironmentMissing,
    NotEnoughSamples,
    PropertyError,
    RecordsError,
)
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
    comparison_evidence,
    encode,
    result_of,
)
from optguide.records.reading import calling_script
from optguide.storage import replace_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from optguide.bench.result import SessionResult
    from optguide.stats.comparison import Comparison
    from optguide.stats.estimate import Estimate


BUILD_VARIABLE = "OPTGUIDE_BUILD_ID"
"""Environment variable with the identifier that all records of one build share."""

PROFILE_VARIABLE, DEFAULT_PROFILE = "OPTGUIDE_PROFILE", "quick"
"""Environment variable that names the profile of a build; :mod:`optguide.guide.profiles` defines it."""

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
        estimate: Estimate,
        *,
        label: str = "",
        evidence: Mapping[str, Any] | None = None,
        above: str = "",
    ) -> None:
        """Record ``estimate``.

        :param label: name in tables; the identifier by default.
        :param evidence: JSON that explains the value; paths are kept relative to the checkout.
        :param above: the word for a ratio above one, such as ``"longer"``: pages then say
            "1.22x longer", or "1.22x shorter" of its reciprocal.
        :raises ClaimError: ``id`` is no identifier.
        :raises RecordsError: ``id`` was given before, or a number is not finite.
        """
        self._check_new(id)
        self._results[id] = result_of(estimate, id, label=label, evidence=evidence, above=above)

    def add_value(
        self,
        id: str,  # noqa: A002
        value: float,
        unit: str,
        *,
        label: str = "",
        n: int = 1,
        above: str = "",
    ) -> None:
        """Record a quantity without spread, such as bytes on disk; the errors are those of :meth:`add`."""
        from optguide.stats.estimate import Estimate

        self.add(id, Estimate(value, value, value, unit, n, "counted"), label=label, above=above)

    def add_comparison(
        self,
        id: str,  # noqa: A002
        comparison: Comparison,
        *,
        label: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a ratio under ``id``, and the ratio of CPU times under ``id.cpu`` where there is one.

        Above one, ``b`` is *faster*: shorter latency, higher throughput or less CPU time. The errors are
        those of :meth:`add`.
        """
        label = label or f"{comparison.b} against {comparison.a}"
        evidence = {**comparison_evidence(comparison), **(evidence or {})}
        self.add(id, comparison.ratio, label=label, evidence=evidence, above="faster")
        if comparison.cpu_ratio is not None:
            cpu = f"{label}, CPU time"
            self.add(f"{id}.cpu", comparison.cpu_ratio, label=cpu, evidence=evidence, above="faster")

    def add_session(
        self,
        prefix: str,
        result: SessionResult,
        *,
        names: Mapping[str, str],
        percentiles: Sequence[float] = (50,),
        title: str = "",
    ) -> None:
        """Record every quantity of a session.

        A variant with part ``p`` gets ``prefix.p.latency.p50`` (ms, for every percentile asked for),
        ``prefix.p.throughput`` (inferences/s) and ``prefix.p.cpu_time`` (ms per inference); the A/A control,
        if any, becomes ``prefix.control``. What a missing device or environment or too few samples leave open
        becomes unavailable with the reason; any other failure of a variant is raised.

        :param title: beginning of all labels, where an example has several sessions.
        :param names: variant name to its part of the identifier; other variants are left out.
        :raises RecordsError: the session had no variant of that name; and as :meth:`add`.
        """
        add_session(self, prefix, result, names, percentiles, title)

    def unavailable(self, id: str, reason: str) -> None:  # noqa: A002
        """State that this machine cannot measure ``id``, and why; the errors are those of :meth:`add`.

        :param reason: a clause or sentence for readers, such as "this machine has no GPU".
        """
        self._check_new(id)
        if not reason.strip():
            raise RecordsError(f"{id} is unavailable without a reason.", "Say what this machine lacks.")
        self._unavailable[id] = impersonal(reason)

    def figure(self, name: str, draw: Callable[[], Drawing], *, alt: str, caption: str) -> Drawing:
        """Draw a figure for light and for dark pages.

        :param name: unique within the example, of a-z, 0-9, ``_`` and ``-``.
        :param draw: makes the figure; called once under each style of :func:`optguide.plots.style`.
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
        replace_record(self._target, encode(record), content)
        print(summary.text(record))
        return self._target

    def _record(self, drawn: Mapping[str, Figure]) -> Record:
        from optguide.machine import Machine

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
        check_id(identifier)
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


if TYPE_CHECKING:
    from optguide.bench.result import SessionResult
    from optguide.records.recording import Recording
    from optguide.stats.estimate import Estimate


ABSENT = (DeviceError, EnvironmentMissing, PropertyError)
"""What a machine may lack. Any other failure, such as a worker that was killed, is one of the build."""


def add_session(
    recording: Recording,
    prefix: str,
    result: SessionResult,
    names: Mapping[str, str],
    percentiles: Sequence[float],
    title: str,
) -> None:
    """Do what :meth:`optguide.records.Recording.add_session` describes."""
    before = f"{title}, " if title else ""
    for name, part in names.items():
        if name not in result.series and name not in result.failures:
            raise RecordsError(
                f"The session under {prefix} had no variant {name!r}.",
                f"Use the names it had: {', '.join([*result.series, *result.failures])}.",
            )
        for suffix, words, estimate in _quantities(result, name, percentiles):
            identifier = f"{prefix}.{part}.{suffix}"
            if name in result.failures:
                if not isinstance(result.failures[name], ABSENT):
                    raise result.failures[name]
                recording.unavailable(identifier, result.failures[name].message)
                continue
            try:
                value = estimate()
            except NotEnoughSamples as error:
                recording.unavailable(identifier, error.message)
            else:
                recording.add(
                    identifier, value, label=f"{before}{name}: {words}", evidence=_evidence(result, name)
                )
    try:
        control = result.control
    except NotEnoughSamples as error:
        recording.unavailable(f"{prefix}.control", error.message)
    else:
        if control is not None:
            recording.add_comparison(
                f"{prefix}.control", control, label=f"{before}{control.a} against itself"
            )


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
    series, share = result.series[name], result.others_share
    return {
        "variant": series.variant.to_dict(evidence=True),
        "effective": series.effective,
        "versions": series.versions,
        "rounds": result.rounds,
        "ended": result.ended,
        "others_share": None if math.isnan(share) else share,
        "load_seconds": None if math.isnan(series.load_seconds) else series.load_seconds,
        "peak_rss": series.peak_rss,
    }
