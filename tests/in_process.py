"""Functions that a run calls in processes of their own, called in this one, so that many tests are quick."""

import importlib
import json
import sys

from optguide.errors import OptGuideError, WorkerError


def call(function, arguments, *, seconds, activity):
    """In place of :func:`optguide.bench.process.call`; nothing is watched, but all goes through JSON."""
    module, _, name = function.partition(":")
    sys.modules.pop("readers_module", None)  # every process imports the reader's module anew
    try:
        answer = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    except OptGuideError as error:
        raise type(error)(error.message, error.remedy) from error
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {error}") from error
    return json.loads(json.dumps(answer))
