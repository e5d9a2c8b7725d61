"""Keeping third parties quiet: no telemetry, no hub, no progress bars of theirs.

``openvino_telemetry`` is the one sender of OpenVINO and NNCF. ``import openvino`` sends a first event, which
starts a process of its own and holds up the interpreter's end for three seconds where there is no network;
conversion and quantization send more. :data:`optguide.openvino_release.TELEMETRY_OFF` silences all of them,
if it is set before OpenVINO is imported.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator

from optguide.openvino_release import TELEMETRY_OFF


def no_telemetry() -> None:
    """Turn the telemetry of OpenVINO and NNCF off, for this process and those it starts.

    Leaves the user's own consent file alone. Call it before ``openvino`` is imported; a later call stops what
    has not been sent yet.
    """
    os.environ.update(TELEMETRY_OFF)
    loaded = sys.modules.get("openvino_telemetry.utils.sender")
    if loaded is not None:
        # Consent may have been settled already; every message passes through this method.
        loaded.TelemetrySender.send = lambda *_: None


def offline() -> None:
    """Keep Hugging Face libraries from asking their hub; has to precede their first import."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Drop what exporters, loaders and optimizers print, warn and log below ``ERROR``.

    Exceptions pass through.
    """
    before = logging.root.manager.disable
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
