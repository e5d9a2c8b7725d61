"""``python -m optguide.guide.workloads``: prepare every workload and list its files."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from optguide.errors import EnvironmentMissing, OptGuideError
from optguide.guide import environments
from optguide.guide.workloads import (
    Workload,
    digits,
    resnet50,
    resnet50_int8,
    resnet50_savedmodel,
    sentences,
    sentences_dynamic,
    sentences_int8,
    tiny,
)


def main() -> int:
    """Prepare all; exit status 0, or that of the first error."""
    console = Console()
    table = Table("workload", "files", "size", title="Workloads", title_justify="left")
    table.columns[2].justify = "right"
    try:
        with console.status("preparing"):
            for make in _MAKERS:
                workload = make()
                size = sum(path.stat().st_size for path in workload.files)
                parts = (workload.ir, workload.inputs, workload.onnx, workload.savedmodel)
                names = ", ".join(path.name for path in parts if path)
                table.add_row(workload.name, names, f"{size / 1e6:.1f} MB")
    except OptGuideError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    console.print(table)
    return 0


def _resnet50() -> Workload:
    """With the SavedModel where TensorFlow's environment exists."""
    try:
        return resnet50_savedmodel(environments.python_of("tensorflow"))
    except EnvironmentMissing:
        return resnet50()


_MAKERS: tuple[Callable[[], Workload], ...] = (
    tiny,
    digits,
    _resnet50,
    resnet50_int8,
    sentences,
    sentences_dynamic,
    sentences_int8,
)


if __name__ == "__main__":
    sys.exit(main())
