"""Files of a run appear whole or not at all, and a full disk is told apart from other failures."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from optguide.errors import StorageError

__all__ = ["writing"]

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tell what keeps a file from being written below ``folder``.

    :raises StorageError: the disk is full, or the folder is not writable.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise StorageError(
            f"The folder {folder} cannot be written: {error.strerror}.",
            "Free some space there, or name another folder with --out.",
        ) from error
