"""The winner ready to deploy: its model, ``deploy.py``, and a command that checks it with another tool.

Where ``benchmark_app`` says the same as the report, the speed is not an artefact of how optguide measures.
What that tool does differently, and what it cannot be told, goes with the command as notes.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from optguide.bench import process
from optguide.bench.variant import Variant
from optguide.errors import OptGuideError
from optguide.optimize.candidate import Candidate, Deployment
from optguide.optimize.model import batch_of
from optguide.runtimes import runner_for
from optguide.runtimes.inputs import from_files
from optguide.runtimes.openvino_models import ports_of, set_batch
from optguide.runtimes.ports import Port
from optguide.storage import storage_errors, write_file

MODEL, WEIGHTS, SCRIPT, CONFIGURATION = "model.xml", "model.bin", "deploy.py", "benchmark_app.json"
FILES = (MODEL, WEIGHTS, SCRIPT, CONFIGURATION)
"""Names beside the report; the last one only where the winner combines a hint with streams or threads."""

PATIENCE = 600.0
"""Seconds for reading and writing a model, which takes as long as its disk does."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class WinnerInputs:
    """What the model takes, and what it was measured with.

    :param sets: for each set of inputs, the shape of every array by name.
    :param file: a set to try the model with, relative to the report; empty where there is none.
    :param stateful: the model keeps a state, which has to be reset before each inference.
    """

    ports: tuple[Port, ...] = ()
    sets: Sequence[Mapping[str, Shape]] = field(default_factory=tuple)
    file: str = ""
    batch: int = 1
    stateful: bool = False

    @property
    def dynamic(self) -> tuple[dict[str, Shape], ...]:
        """The different shapes that the dynamic inputs were measured with; empty for a static model."""
        names = [port.name for port in self.ports if None in port.shape]
        whole = [sizes for sizes in self.sets if names and sizes.keys() >= set(names)]
        shapes = [{name: sizes[name] for name in names} for sizes in whole]
        return tuple(sizes for place, sizes in enumerate(shapes) if sizes not in shapes[:place])

    @property
    def open_batch(self) -> tuple[int, int] | None:
        """Place and axis of the first input whose batch is open."""
        axes = ((place, port.shape, port.batch_axis) for place, port in enumerate(self.ports))
        return next(((p, a) for p, shape, a in axes if a is not None and shape[a] is None), None)

    @property
    def quoted_file(self) -> str:
        """:attr:`file` as a word of a shell command."""
        return shlex.quote(self.file)

    @property
    def filled(self) -> dict[str, Shape]:
        """A static shape for every dynamic input: the first it was measured with, else ones."""
        measured = self.dynamic[0] if self.dynamic else {}
        ones = {
            port.name: tuple(size or 1 for size in port.shape) for port in self.ports if None in port.shape
        }
        return ones | measured


@dataclass(frozen=True)
class CrossCheck:
    """A command, to be run where the model is.

    :param configuration: content of :data:`CONFIGURATION`; empty where the command does not read it.
    """

    arguments: tuple[str, ...]
    configuration: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The command for a shell."""
        return shlex.join(["benchmark_app", *self.arguments])


@dataclass(frozen=True)
class DeployedFiles:
    """The files beside the report that run the winner.

    :param size: bytes of the winner's model and weights.
    """

    inputs: WinnerInputs
    check: CrossCheck
    size: int
    files: tuple[Path, ...] = ()


def write_files(
    candidate: Candidate,
    folder: Path,
    *,
    model: Path,
    inputs: Sequence[str],
    device: str,
    name: str,
    machine: str,
) -> DeployedFiles:
    """Write everything that runs ``candidate`` into ``folder``.

    :param machine: where the candidate was fastest, in one line.
    """
    placed = place_model(model, folder, candidate.deployment.batch, inputs)
    files = [folder / MODEL, folder / WEIGHTS]
    size = sum(file.stat().st_size for file in files)
    described = read_inputs(inputs, folder, placed)
    code = script(candidate, model=name, device=device, machine=machine, inputs=described)
    # A file name on disk may hold bytes that are no text; they become question marks.
    files.append(write_file(folder / SCRIPT, code.encode("utf-8", errors="replace")))
    check = cross_check(candidate, device=device, inputs=described)
    if check.configuration:
        content = json.dumps(check.configuration, indent=1) + "\n"
        files.append(write_file(folder / CONFIGURATION, content.encode()))
    return DeployedFiles(described, check, size, tuple(files))


def read_inputs(files: Sequence[str], folder: Path, placed: WinnerInputs) -> WinnerInputs:
    """``placed`` with the inputs that it was measured with, from the ``.npz`` files that still exist."""
    present = [Path(file) for file in files if Path(file).is_file()]
    sets = [
        {name: array.shape for name, array in arrays.items()}
        for arrays in from_files([str(file) for file in present])
    ]
    root = folder.resolve()
    inside = [file.resolve() for file in present if file.resolve().is_relative_to(root)]
    first = inside[0].relative_to(root).as_posix() if inside else ""
    return replace(placed, sets=tuple(sets), file=first)


def place_model(model: Path, folder: Path, batch: int | None, inputs: Sequence[str] = ()) -> WinnerInputs:
    """Write ``model.xml`` and ``model.bin`` into ``folder``, with the winner's batch in their shapes.

    A process of its own reads the model, so that one which takes OpenVINO down leaves the report.

    :param inputs: ``.npz`` files that it was measured with.
    """
    present = [os.fspath(file) for file in inputs if Path(file).is_file()]
    with storage_errors(folder), tempfile.TemporaryDirectory(prefix=".model-", dir=folder) as name:
        draft = Path(name) / MODEL
        paths = {"model": os.fspath(model), "target": os.fspath(draft)}
        arguments = {**paths, "batch": batch, "inputs": present[:1]}
        answer = process.call(
            f"{__name__}:write_model", arguments, seconds=PATIENCE, activity="writing the model"
        )
        for part in (draft.with_suffix(".bin"), draft):
            part.replace(folder / part.name)
    return msgspec.convert(answer, WinnerInputs)


def write_model(model: str, target: str, batch: int | None, inputs: Sequence[str]) -> dict[str, Any]:
    """The child's side of :func:`place_model`: the model at ``target``; what it takes."""
    import openvino

    network = openvino.Core().read_model(model)
    if batch is None:
        source = Path(model)
        shutil.copyfile(source, target)
        shutil.copyfile(source.with_suffix(".bin"), Path(target).with_suffix(".bin"))
    else:
        set_batch(network, batch)
        openvino.save_model(network, target, compress_to_fp16=False)
    ports = ports_of(network.inputs)
    frames = batch or _frames(network, target, inputs)
    placed = WinnerInputs(ports, batch=frames, stateful=bool(network.get_sinks()))
    described: dict[str, Any] = msgspec.to_builtins(placed)
    return described


def _frames(network: Any, file: str, inputs: Sequence[str]) -> int:
    """How many inputs one inference of the model in ``file`` processes, as it is counted when measured.

    By its shapes alone where it cannot be run, such as with texts as inputs whose files are gone.
    """
    count = batch_of(ports_of(network.inputs), ports_of(network.outputs, "output"))
    if count == 1:
        return 1
    runner = runner_for(Variant("model", model=file, inputs=tuple(inputs)).to_dict())
    try:
        runner.load()
        return runner.frames(runner.outputs())[0]
    except OptGuideError:
        return count


def script(candidate: Candidate, *, model: str, device: str, machine: str, inputs: WinnerInputs) -> str:
    """``deploy.py``: it needs ``openvino`` and ``numpy``, and the model beside it."""
    return _render("deploy.py.jinja", candidate, device, model=model, machine=machine, inputs=inputs)


def snippet(candidate: Candidate, *, device: str) -> str:
    """The lines that an application needs, which time and print nothing."""
    return _render("snippet.py.jinja", candidate, device)


def _render(name: str, candidate: Candidate, device: str, **context: object) -> str:
    return template(name).render(
        candidate=candidate,
        file=MODEL,
        device=device,
        properties=candidate.properties,
        requests=candidate.deployment.requests,
        **context,
    )


def cross_check(candidate: Candidate, *, device: str, inputs: WinnerInputs, seconds: int = 10) -> CrossCheck:
    """The ``benchmark_app`` command that measures ``candidate`` a second time, with another tool.

    :param seconds: measuring time; the tool takes whole seconds only.
    """
    deployment = candidate.deployment
    several = len(inputs.dynamic) > 1
    configuration = _configuration(candidate, device)
    hint = "none" if _tuned(deployment) or not deployment.hint else deployment.hint.lower()
    arguments = ["-m", MODEL, "-d", device, "-hint", hint]
    if configuration:
        arguments += ["-load_config", CONFIGURATION]
    if deployment.streams is not None:
        arguments += ["-nstreams", str(deployment.streams)]
    if deployment.threads is not None:
        arguments += ["-nthreads", str(deployment.threads)]
    if "INFERENCE_PRECISION_HINT" in candidate.properties:
        arguments += ["-infer_precision", candidate.properties["INFERENCE_PRECISION_HINT"]]
    arguments += _in_flight(deployment.requests, several=several)
    if inputs.filled:
        arguments += ["-data_shape", _data_shape(inputs)]
    # By default the tool fills the inputs once; an application, and this report, hand them over every time.
    arguments += ["-inference_only", "false", "-t", str(seconds)]
    notes = [*_notes(deployment, several=several)]
    if inputs.stateful:
        notes.append("It keeps the model's state from one inference to the next, which grows a cache.")
    return CrossCheck(tuple(arguments), configuration, tuple(notes))


def _tuned(deployment: Deployment) -> bool:
    """Whether the tool takes the setting only with ``-hint none``."""
    return deployment.streams is not None or deployment.threads is not None


def _configuration(candidate: Candidate, device: str) -> dict[str, dict[str, str]]:
    """A hint beside streams or threads, which OpenVINO takes together and the tool's options do not."""
    deployment = candidate.deployment
    if not (deployment.hint and _tuned(deployment)):
        return {}
    return {device.partition(":")[0]: {"PERFORMANCE_HINT": deployment.hint}}


def _in_flight(requests: int | None, *, several: bool) -> list[str]:
    if requests is None:  # one call after another, which the tool does with one shape only
        return ["-api", "async", "-nireq", "1"] if several else ["-api", "sync"]
    return ["-api", "async", *(["-nireq", str(requests)] if requests else [])]


def _data_shape(inputs: WinnerInputs) -> str:
    """``ids[1,12][1,20],mask[1,12][1,20]``; the tool needs no name where there is one input."""
    sets = inputs.dynamic or (inputs.filled,)
    alone = len(inputs.ports) == 1
    return ",".join(
        ("" if alone else name) + "".join(f"[{','.join(map(str, shapes[name]))}]" for shapes in sets)
        for name in inputs.filled
    )


def _notes(deployment: Deployment, *, several: bool) -> Iterator[str]:
    yield "It fills inputs with random numbers."
    if several and deployment.requests is None:
        yield "Where shapes vary it has no synchronous mode; one request in flight stands for it."
    if deployment.hint and deployment.requests:
        yield (
            "With a hint, -nireq also tells the device how many requests to expect, and that can change the "
            "number of streams."
        )


@functools.cache
def template(name: str) -> jinja2.Template:
    """A template of the report. A name that it is not given is an error, not an empty text.

    Those whose names end in ``.html.jinja`` escape every value; the others write Python, where the filter
    ``code`` quotes and an entity would be wrong.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("optguide.optimize.report"),
        autoescape=lambda name: name is None or name.endswith(".html.jinja"),  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = _code
    return environment.get_template(name)


def _code(value: Any) -> str:
    """A text, or a mapping of texts, as Python code in one line and in ASCII."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_code(key)}: {_code(item)}" for key, item in value.items()) + "}"
    plain = isinstance(value, str) and value.isascii() and value.isprintable()
    return f'"{value}"' if plain and not set(value) & set('"\\') else ascii(value)
