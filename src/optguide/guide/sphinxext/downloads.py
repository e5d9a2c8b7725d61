"""The numbers of each page as JSON and CSV beside it, and those of all examples in ``results.csv``.

``docs/reference/numbers.md`` documents both forms.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from optguide.guide.sphinxext.gallery import plain_errors
from optguide.guide.sphinxext.pages import load, to_download
from optguide.machine import Machine
from optguide.storage import encode_json, storage_errors

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from optguide.records import Record

SCHEMA = 1
"""Version of both forms."""

LICENCE = "Apache-2.0"

_OF_RESULT = ("value", "low", "high", "unit", "above", "n", "label", "method")
_OF_RECORD = ("example", "finished", "profile", "build", "machine_id")


def setup(app: Sphinx) -> None:
    """Write the files once all pages are there."""
    app.connect("build-finished", _write)


def _write(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    folder, records = Path(app.outdir), load().by_example
    with plain_errors(), storage_errors(folder):
        (folder / "results.csv").write_text(_csv(records.values()), "utf-8")
        for page in app.env.metadata:
            if examples := to_download(app.env, page):
                content = {"schema": SCHEMA, "licence": LICENCE, "page": page, "records": examples}
                (folder / f"{page}.json").write_bytes(encode_json(content))
                (folder / f"{page}.csv").write_text(_csv(examples), "utf-8")


def _csv(records: Iterable[Record]) -> str:
    """One line for each result, below a line of names."""
    rows = [row for record in records for row in _rows(record)]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _rows(record: Record) -> Iterator[dict[str, object]]:
    machine = Machine.from_dict(record.machine)
    common = {
        **{name: getattr(record, name) for name in _OF_RECORD},
        "cpu": machine.cpu,
        "cores": machine.available_cores,
        "openvino": machine.packages.get("openvino", ""),
    }
    for key, result in record.results.items():
        evidence = result.evidence
        variant = evidence.get("variant", {})
        variant = variant if isinstance(variant, Mapping) else {"name": variant}
        yield {
            "id": key,
            **{name: getattr(result, name) for name in _OF_RESULT},
            "variant": variant.get("name", evidence.get("b", "")),
            "against": evidence.get("a", ""),
            **{name: variant.get(name, "") for name in ("runtime", "model", "device")},
            **common,
        }
