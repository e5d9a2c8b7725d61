"""``optguide diagnose MODEL``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
from rich.text import Text

from optguide import format as fmt
from optguide.bench.variant import Variant
from optguide.cli import output
from optguide.cli.options import common_options, complete_variant, settings_options, time_option
from optguide.cli.session import machine_held, read_variants
from optguide.cli.variants import assign, parse
from optguide.diagnose import Diagnosis, Finding, Remark
from optguide.diagnose import diagnose as run_diagnosis
from optguide.errors import OptionError
from optguide.machine import Machine
from optguide.machine.noise import busy_warnings
from optguide.optimize.candidate import Settings
from optguide.optimize.data import read_data, write_inputs
from optguide.optimize.model import SourceModel, decode, encode, read_source_model
from optguide.runtimes.openvino import OpenVINO

EPILOG = """\b
Examples:
  optguide diagnose model.xml
  optguide diagnose model.xml --hint throughput --requests 1
  optguide diagnose model.xml --shape ids=1,24 --shape ids=1,61 --shape ids=1,110
  optguide diagnose model.onnx --inputs short.npz --inputs long.npz
  optguide diagnose model.xml --data pictures/ --budget 4m
  optguide diagnose model.xml --threads 8 --set NUM_STREAMS=2 --json

\b
Describe how you run the model with the options of `optguide measure`. Without --feed the loop is taken to be
one that hands arrays to infer(), which copies them.
"""


@click.command(epilog=EPILOG)
@click.argument("model", shell_complete=complete_variant)
@time_option(
    "--budget",
    default="2m",
    help="Time for everything, loading included; what no longer fits is named.",
)
@click.option(
    "--goal",
    type=click.Choice(["latency", "throughput"]),
    help="What the deployment is for. By default throughput under a throughput hint or with requests in"
    " flight, and latency otherwise.",
)
@click.option(
    "--data",
    metavar="DATA",
    help="Samples, as optguide optimize takes them: real inputs, and what preparing them takes.",
)
@click.option(
    "--cores", type=int, metavar="N", help="Cores it may run on, as docker run --cpuset-cpus gives them."
)
@click.option(
    "--quota",
    type=float,
    metavar="CORES",
    help="CPU time per second, as docker run --cpus gives. By default the quota in force here.",
)
@settings_options
@common_options
def diagnose(model: str, budget: float, goal: Any, data: str | None, **options: Any) -> None:
    """Say why a model is slow as you run it, and what would make it faster here.

    Each cause is shown by its remedy, which takes turns with your deployment: what it gains, with an
    interval, what to do, and the page of the guide. What was looked at and is fine is listed too.
    """
    if OpenVINO.distribution in parse([model])[0].settings:  # before that release is installed
        raise OptionError(
            "diagnose looks at the OpenVINO that is installed here.",
            "Leave out openvino=; optguide compare holds releases against each other.",
        )
    sizes = _sizes(options["shapes"])
    if sizes and (options["inputs"] or data is not None):
        raise OptionError("Several sizes by --shape and real inputs both give inputs.", "Leave one out.")
    options["shapes"] = () if sizes else options["shapes"]
    if read_variants([model], options)[0].openvino:  # other runtimes are refused before they miss --feed
        options["feed"] = options["feed"] or "copied"
    (variant,) = read_variants([model], options)
    variant = variant.with_(variant.name, cores=options["cores"], quota=options["quota"])
    label, prepared = f"diagnosing {variant.name}", None
    with machine_held(f"optguide diagnose {variant.name}", options["wait"]), TemporaryDirectory() as folder:
        start = time.monotonic()
        if data is not None:
            variant, prepared = _with_data(variant, data, Path(folder), allow_pickle=options["allow_pickle"])
        left = budget - (time.monotonic() - start)
        diagnosis = run_diagnosis(variant, left, goal=goal, sizes=sizes, prepared=prepared, label=label)
        seconds = time.monotonic() - start
    output.deliver(
        "diagnose",
        as_json=options["as_json"],
        content=lambda: _content(diagnosis, budget, seconds),
        tables=lambda: _print(diagnosis, variant.name, seconds),
        warnings=[*diagnosis.warnings, *busy_warnings(diagnosis.others_share)],
    )


def _sizes(texts: Sequence[str]) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    """Shapes of several sets of inputs, where ``--shape`` names an input again; empty where it does not."""
    shapes: dict[str, list[str]] = {}
    for text in texts:
        for name, sizes in assign([text], "--shape").items():
            shapes.setdefault(name, []).append(sizes)
    counts = {len(several) for several in shapes.values()} - {1}
    if len(counts) > 1:
        raise OptionError(
            "--shape gives inputs different numbers of shapes.", "Give each input one, or all as many."
        )
    return tuple(
        OpenVINO.from_texts(
            {f"shape.{name}": several[place % len(several)] for name, several in shapes.items()}
        ).shapes
        for place in range(max(counts, default=0))
    )


def _with_data(
    variant: Variant, data: str, folder: Path, *, allow_pickle: bool
) -> tuple[Variant, Variant | None]:
    """The deployment on the reader's samples, and a loop that prepares each of them before its call."""
    if variant.inputs:
        raise OptionError("--inputs and --data both give inputs.", "Leave one of them out.")
    shapes = variant.openvino.shapes
    settings = Settings(model=variant.model, data=data, shapes=shapes, allow_pickle=allow_pickle)
    source = read_source_model(settings, folder)
    files = write_inputs(read_data(settings, source), source, folder, variant.openvino.batch)
    variant = variant.with_(variant.name, inputs=files)
    spec, described, model = variant.to_dict(), msgspec.to_builtins(settings), encode(source)

    def make() -> Callable[[], Any]:
        # By name: this function is shipped by value, and what it needs is imported in the worker.
        from optguide.runtimes import runner_for

        runner: Any = runner_for(spec | {"requests": None})
        runner.load()
        samples = read_data(msgspec.convert(described, Settings), decode(model, SourceModel)).samples
        places = itertools.cycle(range(len(samples)))

        def prepare_and_call() -> Any:
            return runner.bound(samples[next(places)])()

        return prepare_and_call

    if variant.openvino.batch is not None:  # samples come one by one
        return variant, None
    return variant, Variant.from_function(
        "prepared before each call", make, cores=variant.cores, quota=variant.quota
    )


def _content(diagnosis: Diagnosis, budget: float, seconds: float) -> dict[str, Any]:
    return {
        "machine": Machine.current().to_dict(),
        "variant": diagnosis.deployed.to_dict(evidence=True),
        "effective": diagnosis.effective,
        "budget": {"seconds": budget},
        "seconds": seconds,
        "others_share": diagnosis.others_share,
        "findings": [_finding_fields(finding) for finding in diagnosis.findings],
        "fine": [_remark_fields(entry) for entry in diagnosis.fine],
        "open": [_remark_fields(entry) for entry in diagnosis.open],
        "warnings": list(diagnosis.warnings),
    }


def _finding_fields(finding: Finding) -> dict[str, Any]:
    return _remark_fields(finding) | {
        "remedy": finding.effect.remedy,
        "quantity": finding.effect.quantity,
        "effect": asdict(finding.effect.ratio),
        "other_remedies": list(finding.others),
    }


def _remark_fields(entry: Finding | Remark) -> dict[str, Any]:
    return {"symptom": entry.symptom.title, "page": entry.symptom.page, "evidence": entry.evidence}


def _print(diagnosis: Diagnosis, name: str, seconds: float) -> None:
    rows = [(str(place), _described(finding)) for place, finding in enumerate(diagnosis.findings, 1)]
    output.table(f"Why {name} is slow", ("", "Symptom, evidence, remedy and its gain here"), rows)
    if not rows:
        remark = "; some questions are open" if diagnosis.open else ""
        output.paragraph(f"Nothing found that makes {name} slow{remark}.\n")
    _print_remarks("Open: not decided within this budget, or on so busy a machine", diagnosis.open)
    _print_remarks("Looked at, and fine", diagnosis.fine)
    output.paragraph(f"In {fmt.duration(seconds)}.")
    output.machine_line()


def _described(finding: Finding) -> Text:
    return Text.assemble(
        (finding.symptom.title, "bold"),
        f"\n{finding.evidence}\n",
        f"Do: {finding.effect.remedy}\n",
        (f"Gain: {finding.effect.text}", "green"),
        *(f"\nOr: {other}" for other in finding.others),
        (f"\nPage: {finding.symptom.page}", "dim"),
    )


def _print_remarks(title: str, entries: Sequence[Remark]) -> None:
    rows = [(entry.symptom.title, entry.evidence) for entry in entries]
    output.table(title, ("Symptom", "Evidence"), rows)
