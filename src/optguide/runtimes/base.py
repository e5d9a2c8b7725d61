"""What each runtime provides: its settings as plain data, and a runner that executes a model under them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from optguide.errors import EnvironmentMissing, InputError, OptionError, first_line
from optguide.runtimes import inputs as inputs_module

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
    :cvar on_command_line: whether a command line can name all that the runtime needs.
    :cvar keys: settings on the command line, each with values that are worth offering. ``shape`` stands for
        ``shape.<input>``.
    """

    names: ClassVar[Mapping[str, Mapping[str, Any]]]
    formats: ClassVar[Mapping[str, str]] = {}
    reads_references: ClassVar[bool] = False
    needs_inputs: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    on_command_line: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        for name in ("batch", "threads"):
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

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """JSON-ready settings, besides those that the name implies; for ``evidence`` readable."""
        return {key: value for key, value in asdict(self).items() if key not in self.names[self.name]}

    def check_model(self, model: str) -> None:  # noqa: B027 - most runtimes have nothing to refuse
        """Refuse a model that these settings do not suit.

        :raises OptionError: they do not.
        """

    @abstractmethod
    def runner(self, spec: dict[str, Any]) -> Runner[Any]:
        """The runner of a variant with these settings, not yet loaded.

        :param spec: the variant, as :meth:`optguide.bench.variant.Variant.to_dict` describes it.
        """


Settings = TypeVar("Settings", bound=Runtime)


class Runner(ABC, Generic[Settings]):
    """One variant, loaded in this process.

    :ivar settings: settings of the runtime.
    :ivar spec: the whole variant, as plain data.
    :ivar stages: seconds spent in ``import``, ``read`` and ``compile``.
    :ivar calls: one callable per input set; each runs one inference and returns its outputs.
    :ivar queue: the ``AsyncInferQueue`` where :attr:`Runtime.asynchronous`; otherwise ``None``.
    :ivar frames: inputs that one call processes.
    :ivar varied: whether the input sets differ in shape.
    :cvar refusals: exceptions by which the runtime refuses inputs.
    """

    queue: Any = None
    refusals: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, settings: Settings, spec: dict[str, Any]) -> None:
        self.settings = settings
        self.spec = spec
        self.stages: dict[str, float] = {}
        self.calls: list[Callable[[], Any]] = []
        self.frames: int = spec["frames"]
        self.varied = False

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

    def outputs(self) -> Outputs:
        """The outputs of the first input set, as plain arrays.

        :raises InputError: the model refuses the inputs.
        """
        try:
            return as_arrays(self.calls[0]())
        except self.refusals as error:
            raise misfit(first_line(error)) from error

    def input_sets(self, specs: dict[str, inputs_module.InputSpec]) -> list[inputs_module.Arrays]:
        """The variant's input sets, ordered as ``specs``; random ones where it names no file."""
        if not self.spec["inputs"]:
            return [inputs_module.random_inputs(specs, self.spec["seed"])]
        sets = inputs_module.from_files(self.spec["inputs"])
        self.varied = len({tuple(array.shape for array in arrays.values()) for arrays in sets}) > 1
        return [inputs_module.match(arrays, list(specs), "The input file") for arrays in sets]


def as_arrays(result: Any) -> Outputs:
    """Outputs of any runtime as a list of NumPy arrays."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if not isinstance(result, (list, tuple)):
        result = [result]
    return [np.asarray(item.detach() if hasattr(item, "detach") else item) for item in result]


@contextmanager
def installed(package: str, remedy: str = 'Run: pip install "optguide[frameworks]".') -> Iterator[None]:
    """Import inside; a missing module is reported as the ``package`` that is not installed.

    :raises EnvironmentMissing: the import fails.
    """
    try:
        yield
    except ImportError as error:
        raise EnvironmentMissing(f"{package} is not installed for this interpreter.", remedy) from error


def refuse_other_types(arrays: inputs_module.Arrays, dtypes: Mapping[str, np.dtype[Any]]) -> None:
    """Refuse arrays of another element type than the model takes; OpenVINO would convert them in every call.

    :raises InputError: for the first such input.
    """
    for name, dtype in dtypes.items():
        if arrays[name].dtype != dtype:
            raise misfit(f"{name!r} takes {dtype} and the file has {arrays[name].dtype}.")


def misfit(cause: str) -> InputError:
    """The error for inputs that the loaded model refused, whatever the runtime calls it."""
    return InputError(
        f"The inputs do not fit the model: {cause}", "Check the shapes and element types in the .npz file."
    )


def dynamic_shape(name: str, shape: object) -> InputError:
    """The error for an input without a static shape, where there are no inputs that have one."""
    return InputError(
        f"Input {name!r} has the dynamic shape {shape}.",
        f"Pass a static one, such as --shape {name}=1,128, or --inputs with real data.",
    )


def frames_of(arrays: Iterable[Any]) -> int:
    """Inputs in one call: the first dimension of the first input, where its rank leaves room for a batch."""
    first = next(iter(arrays), None)
    return int(first.shape[0]) if first is not None and first.ndim > 1 else 1


def parse_number(key: str, value: str, also: Sequence[str] = ()) -> int:
    """The whole number from 1 in ``value``.

    :param also: texts that the setting takes besides numbers, for the message.
    :raises OptionError: it is none.
    """
    if not value.isdecimal() or int(value) < 1:
        words = ["a whole number from 1", *also]
        choices = " or ".join([", ".join(words[:-1]), words[-1]]) if also else words[0]
        raise OptionError(f"{key}={value} is not possible.", f"Use {choices}.")
    return int(value)


def _parse_shape(key: str, value: str) -> tuple[int, ...]:
    sizes = [size.strip() for size in value.split(",")]
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise OptionError(
            f"{key}={value} is no static shape.",
            f"Write sizes from 1 with commas between: {key}=1,3,224,224.",
        )
    return tuple(int(size) for size in sizes)
