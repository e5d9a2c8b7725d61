"""What runs in processes of its own, run in this one, so that many tests are quick; all goes through JSON."""

import importlib
import json
import os
import queue
import sys

from optguide.bench.process import WorkerProcess
from optguide.bench.rotation import Host
from optguide.bench.worker import Worker, _answer
from optguide.errors import OptGuideError, WorkerError


def call(function, arguments, *, seconds, activity):
    """In place of :func:`optguide.bench.process.call`; nothing is watched."""
    module, _, name = function.partition(":")
    sys.modules.pop("readers_module", None)  # every process imports the reader's module anew
    try:
        answer = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    except OptGuideError as error:
        raise type(error)(error.message, error.remedy) from error
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {error}") from error
    return json.loads(json.dumps(answer))


class WorkerHere(WorkerProcess):
    """A worker that loads and calls its variants in this process; of variables and limits nothing is done."""

    pid = os.getpid()

    def __init__(self, *variants):
        self.variants = variants
        self._name = f"The worker of {' and '.join(variant.name for variant in variants)!r}"
        self._replies, self._hosted = queue.Queue(), [Worker()]

    def send(self, **request):
        self._replies.put(json.dumps(_answer(self._hosted, json.loads(json.dumps(request)))) + "\n")

    def end(self):
        pass


HERE = Host(WorkerHere, lanes=1)
