"""A process that burns one core, for as long as the context lasts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_busy_core"]

LONGEST_SECONDS = 1800
"""The burner ends by itself, should nobody be left to end it."""


@contextmanager
def one_busy_core() -> Iterator[None]:
    """Compete with whatever is measured meanwhile."""
    code = f"import time\nend = time.time() + {LONGEST_SECONDS}\nwhile time.time() < end: pass"
    burner = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()
