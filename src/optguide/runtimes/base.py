"""What each runtime provides: its settings as plain data, and a runner that executes a model under them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from optguide.errors import EnvironmentMissing, InputError, OptionError, first_line
from optguide.runtimes import inputs
from optguide.runtimes.inputs import Arrays
from optguide.runtimes.ports import Port, Shape, count_frames, match, match_shapes

Outputs = list[npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Runtime(ABC):
    """Settings of one runtime, as plain data that JSON can hold; a field for everything it can be told.

    :cvar names: what the runtime is called on the command line and in records, each name with the settings
        that it implies.
    :cvar formats: suffixes of the files that it reads, with what a file of that kind is called. The empty
        suffix stands for the folder of a SavedModel.
    :cvar reads_references: whether a model may be a Python function, ``package.module:function``.
    :cvar needs_inputs: why no random inputs can be drawn, as a clause; empty where they can.
    :cvar packages: distributions whose versions are facts about a number.
    :cvar distribution: the package whose release a variant may name on the command line; empty where none.
    :cvar on_command_line: whether a command line can name all that the runtime needs.
    :cvar keys: settings on the command line, each with values that are worth offering. ``shape`` stands for
        ``shape.<input>``.
    """

    names: ClassVar[Mapping[str, Mapping[str, Any]]]
    formats: ClassVar[Mapping[str, str]] = {}
    reads_references: ClassVar[bool] = False
    needs_inputs: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    distribution: ClassVar[str] = ""
    on_command_line: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        for name in ("batch", "threads", "steps"):
            number = getattr(self, name, None)
            if number is not None and number < 1:
                raise OptionError(f"{name} {number} is not possible.", f"Use a {name} from 1.")
        if shapes := getattr(self, "shapes", None):
            object.__setattr__(self, "shapes", {name: tuple(shape) for name, shape in shapes.items()})

    @property
    def name(self) -> str:
        """The name in :attr:`names` that implies these settings."""
        return next(
            name
            for name, preset in self.names.items()
            if all(getattr(self, key) == value for key, value in preset.items())
        )

    @property
    def asynchronous(self) -> bool:
        """Whether several inferences are in flight at once."""
        return False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The settings among the ``data`` of a variant."""
        settings = {name: value for name, value in data.items() if name in cls.settings()}
        return cls(**settings, **cls.names[data["runtime"]])

    @classmethod
    def from_texts(cls, settings: Mapping[str, str]) -> Self:
        """The settings that a command line describes.

        :param settings: texts by key of :attr:`keys`; other keys are not looked at.
        :raises OptionError: a value that cannot be used.
        """
        values = dict(cls.names.get(settings.get("runtime", ""), {}))
        if "threads" in cls.keys and "threads" in settings:
            values["threads"] = parse_number("threads", settings["threads"])
        if "shape" in cls.keys:
            values["shapes"] = {
                key.removeprefix("shape."): _parse_shape(key, value)
                for key, value in settings.items()
                if key.startswith("shape.")
            }
        return cls(**values)

    @classmethod
    def settings(cls) -> tuple[str, ...]:
        """Names of the settings."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def require_inputs(cls, files: Sequence[str]) -> None:
        """Refuse to go without input files where no random inputs can be drawn.

        :raises InputError: there are none.
        """
        if cls.needs_inputs and not files:
            raise InputError(
                f"The runtime {next(iter(cls.names))} needs inputs, because {cls.needs_inputs}.",
                "Pass --inputs with an .npz file.",
            )

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """JSON-ready settings, besides those that the name implies; for ``evidence`` readable."""
        return {key: value for key, value in asdict(self).items() if key not in self.names[self.name]}

    def check_model(self, model: str) -> None:  # noqa: B027 - most runtimes have nothing to refuse
        """Refuse a model that these settings do not suit."""

    @abstractmethod
    def runner(self, spec: dict[str, Any]) -> Runner[Any]:
        """The runner of a variant with these settings, not yet loaded.

        :param spec: the variant, as :meth:`optguide.bench.variant.Variant.to_dict` describes it.
        """


Settings = TypeVar("Settings", bound=Runtime)


class Runner(ABC, Generic[Settings]):
    """One variant, loaded in this process.

    :ivar stages: seconds spent in ``import``, ``read`` and ``compile``.
    :ivar sets: input sets, by the name of the port; none for a function.
    :ivar calls: one callable per input set; each runs one inference and returns its outputs.
    :ivar queue: of requests, where :attr:`Runtime.asynchronous`.
    :ivar ports: inputs of the model; none where the runtime does not tell.
    :ivar output_names: the real names of each output; none where the runtime does not tell.
    :ivar notes: what was settled without being asked for, in sentences.
    :cvar refusals: exceptions by which the runtime refuses inputs.
    """

    refusals: ClassVar[tuple[type[Exception], ...]] = ()

    queue: Any = None
    ports: Sequence[Port] = ()
    output_names: Sequence[Sequence[str]] = ()

    def __init__(self, settings: Settings, spec: dict[str, Any]) -> None:
        self.settings = settings
        self.spec = spec
        self.stages: dict[str, float] = {}
        self.sets: list[Arrays] = []
        self.calls: list[Callable[[], Any]] = []
        self.notes: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage of loading."""
        start = time.perf_counter()
        yield
        self.stages[name] = time.perf_counter() - start

    @abstractmethod
    def load(self) -> None:
        """Import the runtime, read and compile the model, bind the inputs."""

    @abstractmethod
    def effective(self) -> dict[str, str]:
        """Properties as the runtime resolved them."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of the packages that execute the model."""

    def feeds(self) -> list[Any]:
        """Inputs for :attr:`queue`, one set each; none where its requests hold them already."""
        return []

    def again(self) -> Callable[[], Any] | None:
        """One inference on the inputs of the last call that was made by :meth:`outputs`, without handing any
        over; none where the runtime has no such call, or a state would change.
        """
        return None

    def inference_seconds(self) -> float:
        """Length of the last inference of :meth:`again`, by the runtime's own clock."""
        raise NotImplementedError

    def layer_counter(self) -> Any:
        """What counts the time of each layer.

        :raises OptionError: the runtime does not count them.
        """
        raise OptionError(
            f"Layers are counted by OpenVINO, and {self.spec['name']!r} runs on {self.settings.name}.",
            "Leave it out, or use the runtime openvino.",
        )

    def blame(self, error: RuntimeError) -> Exception:
        """The error to report for a call that failed although the model had loaded."""
        return error

    def bound(self, arrays: Arrays) -> Callable[[], Any]:
        """A callable that runs one inference on ``arrays`` and returns its outputs."""
        raise NotImplementedError

    def answer(self, arrays: Arrays) -> Outputs:
        """The outputs for ``arrays``, as plain ones."""
        try:
            return as_arrays(self.bound(arrays)())
        except self.refusals as error:
            raise misfit(first_line(error)) from error

    def outputs(self) -> Outputs:
        """The outputs of the first input set."""
        return self.answer(self.sets[0])

    @property
    def varied(self) -> bool:
        """Whether the input sets differ in shape."""
        return len({tuple(array.shape for array in arrays.values()) for arrays in self.sets}) > 1

    def description(self) -> dict[str, Any]:
        """What the model is called with: ``random`` or not, ``shapes`` of the first set, and ``notes``."""
        first = self.sets[0] if self.sets else {}
        return {
            "random": not self.spec["inputs"],
            "shapes": {name: [_type_of(array), *array.shape] for name, array in first.items()},
            "notes": self.notes,
        }

    def input_sets(self, shapes: Mapping[str, Shape] | None = None) -> list[Arrays]:
        """The variant's input sets, ordered as :attr:`ports`; random ones where it names no file.

        :param shapes: shapes of random inputs, by any of their names.
        :raises InputError: a file does not fit the ports, or no random values can be drawn for one.
        """
        chosen = match_shapes(shapes or {}, self.ports)
        if not self.spec["inputs"]:
            settled = [self._settled(port, chosen.get(port.name)) for port in self.ports]
            return [inputs.random_inputs(settled, self.spec["seed"])]
        sets = []
        for path, arrays in zip(self.spec["inputs"], inputs.from_files(self.spec["inputs"]), strict=True):
            matching = match(arrays, self.ports, Path(path).name)
            inputs.check_types(matching.values, self.ports)
            sets.append(matching.values)
            if matching.unused:
                self.note(f"{Path(path).name} also holds {', '.join(matching.unused)}, which no input takes.")
            if matching.by_order and len(self.ports) > 1:
                pairs = zip(arrays, self.ports, strict=True)
                listed = ", ".join(f"{name} for {port.name}" for name, port in pairs)
                self.note(f"No name in the input file is that of an input, so the order decided: {listed}.")
        return sets

    def note(self, sentence: str) -> None:
        """Remember what results are to say, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _settled(self, port: Port, shape: Shape | None) -> Port:
        """``port`` with the shape of random inputs: an open batch is one, other sizes have to be given."""
        chosen = port if shape is None else replace(port, shape=shape)
        closed = chosen.closed(alone=len(self.ports) == 1)
        if closed != chosen:
            self.note("The batch is open and was set to 1.")
        return closed

    def frames(self, outputs: Outputs) -> tuple[int, str]:
        """How many inputs one call processes, and what tells so.

        Rows that are no batch can come out as they went in, as time steps do. So a first dimension that
        inputs and outputs share counts only if neither the first nor the last row of the inputs changes
        another row of the outputs.
        """
        if self.spec["frames"] is not None:
            return self.spec["frames"], "given"
        if not self.sets:
            return 1, ""
        first = self.sets[0]
        ports = self.ports or [Port(name, "", array.shape) for name, array in first.items()]
        shapes = [array.shape for array in first.values()]
        count, reason = count_frames(ports, shapes, [output.shape for output in outputs])
        if count > 1 and "layout" not in reason and not self._rows_are_independent(outputs):
            return 1, ""
        return count, reason

    def _rows_are_independent(self, outputs: Outputs) -> bool:
        return all(self._concerns_itself_alone(row, outputs) for row in (0, -1))

    def _concerns_itself_alone(self, row: int, outputs: Outputs) -> bool:
        again = self.answer({name: _with_another(row, array) for name, array in self.sets[0].items()})
        others = [
            [np.delete(output, row, axis=0) for output in pair] for pair in zip(outputs, again, strict=True)
        ]
        return all(_close(before, after) for before, after in others)


def _with_another(row: int, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``array`` with another row in place of one: with one of its own, where not all are the same.

    Otherwise zero becomes one and any other number zero, which are valid in every vocabulary.
    """
    if not array.ndim:
        return array
    changed = array.copy()
    different = (other for other in array if not np.array_equal(other, array[row]))
    changed[row] = next(different, array[row] == 0)
    return changed


def _type_of(array: npt.NDArray[Any]) -> str:
    return "text" if array.dtype.kind in "US" else str(array.dtype)


def _close(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> bool:
    """Whether two arrays differ by rounding only; other kernels may round differently."""
    if before.dtype.kind not in "fiub":
        return bool(np.array_equal(before, after))
    x, y = before.astype(np.float64), after.astype(np.float64)
    finite = np.abs(x[np.isfinite(x)])
    margin = 1e-4 * float(finite.max()) if finite.size else 0.0
    return bool(np.allclose(x, y, rtol=0.0, atol=margin, equal_nan=True))


def as_arrays(result: Any) -> Outputs:
    """Outputs of any runtime as a list of NumPy arrays."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if not isinstance(result, (list, tuple)):
        result = [result]
    return [np.asarray(item.detach() if hasattr(item, "detach") else item) for item in result]


@contextmanager
def installed(package: str, remedy: str = 'Run: pip install "optguide[frameworks]".') -> Iterator[None]:
    """Import inside; a missing module is reported as the ``package`` that is not installed."""
    try:
        yield
    except ImportError as error:
        raise EnvironmentMissing(f"{package} is not installed for this interpreter.", remedy) from error


def misfit(cause: str) -> InputError:
    """The error for inputs that the loaded model refused, whatever the runtime calls it."""
    return InputError(
        f"The inputs do not fit the model: {cause}",
        "Check shapes and element types of --inputs, or the --shape of random ones.",
    )


def parse_number(key: str, value: str, also: Sequence[str] = ()) -> int:
    """The whole number from 1 in ``value``.

    :param also: texts that the setting takes besides numbers, for the message.
    """
    if not value.isdecimal() or int(value) < 1:
        words = ["a whole number from 1", *also]
        choices = " or ".join([", ".join(words[:-1]), words[-1]]) if also else words[0]
        raise OptionError(f"{key}={value} is not possible.", f"Use {choices}.")
    return int(value)


def _parse_shape(key: str, value: str) -> tuple[int, ...]:
    """Sizes with commas between; zero is one, as an empty cache has it."""
    sizes = [size.strip() for size in value.split(",")]
    if not all(size.isdecimal() for size in sizes):
        raise OptionError(
            f"{key}={value} is no static shape.",
            f"Write whole numbers with commas between: {key}=1,3,224,224.",
        )
    return tuple(int(size) for size in sizes)
