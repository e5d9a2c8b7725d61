"""Everything optguide raises on purpose.

A :class:`UserError` says that the call has to change (exit status 2), a :class:`Failure` that it was right
and did not succeed (exit status 1). Every message is one sentence that names the cause, and ``remedy`` one
sentence that says what to do.
"""

from __future__ import annotations

from typing import ClassVar

from optguide.openvino_release import LOCATION_PREFIXES


class OptGuideError(Exception):
    """Base of every deliberate error.

    :param message: one sentence that says what is wrong.
    :param remedy: one sentence that says what to do about it; may be empty.
    :param detail: text for ``--debug`` only, such as a traceback from a worker.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "", *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class UserError(OptGuideError):
    """The call has to change."""

    exit_status = 2


class OptionError(UserError):
    """An option's value cannot be used."""


class ModelError(UserError):
    """A model is missing, corrupt or of a kind that is not supported."""


class DeviceError(UserError):
    """A device that this machine does not have."""


class PropertyError(UserError):
    """A property that the device does not know or a value it does not take."""


class InputError(UserError):
    """Shapes, types or values that do not fit the model's inputs."""


class ClaimError(UserError):
    """A claim or a result identifier that does not exist or does not parse."""


class Failure(OptGuideError):
    """The call was right and did not succeed."""


class WorkerError(Failure):
    """A worker process failed."""


class WorkerDied(WorkerError):
    """A worker process ended by itself or was killed."""


class WorkerHung(WorkerError):
    """A worker process did not answer in time and was ended."""


class OutputError(Failure):
    """A model returned NaN, infinity or one constant."""


class NotEnoughSamples(Failure):
    """Too little was measured for the estimate that was asked for."""


class Busy(Failure):
    """Another measurement holds this machine."""


class RecordsError(Failure):
    """Records that are corrupt, of another schema or of another machine."""


class StorageError(Failure):
    """The disk is full or the folder cannot be written."""


class EnvironmentMissing(Failure):
    """An isolated environment or an optional package is not installed."""


def telling_lines(error: BaseException) -> list[str]:
    """The lines of an exception's message that say more than where in OpenVINO's code it was raised.

    Each is cut to a length that a person reads. Where there is no message, the type stands for it.
    """
    lines = [line.strip()[:300] for line in str(error).splitlines() if line.strip()]
    return (
        [line for line in lines if not line.startswith(LOCATION_PREFIXES)] or lines or [type(error).__name__]
    )


def first_line(error: BaseException) -> str:
    """The first of :func:`telling_lines`."""
    return telling_lines(error)[0]


def described(error: BaseException) -> str:
    """``ValueError: the first line of its message``, without a full stop; the type alone without one."""
    text = f": {first_line(error).rstrip('.')}" if str(error).strip() else ""
    return type(error).__name__ + text


def by_name(name: str) -> type[OptGuideError]:
    """Return the error class called ``name``; :class:`WorkerError` for an unknown one.

    Workers send errors as data, so that a worker under another interpreter can report them too.
    """
    candidate = globals().get(name)
    if isinstance(candidate, type) and issubclass(candidate, OptGuideError):
        return candidate
    return WorkerError
