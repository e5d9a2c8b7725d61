"""A task for the sentence encoder: find the rest of a docstring from its first sentence.

The texts are docstrings of the standard library and of NumPy, so the task needs no data set and means
something: top-1 retrieval, where each first sentence has to be nearer to its own text than to all others.
"""

from __future__ import annotations

import ast
import json
import platform
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optguide.errors import InputError
from optguide.guide.workloads import minilm
from optguide.guide.workloads.artifacts import Recipe, ensure
from optguide.runtimes.openvino_models import infer_all

if TYPE_CHECKING:
    import openvino
    import torch

Tokens = Mapping[str, npt.NDArray[np.int64]]
Embeddings = npt.NDArray[np.float32]

QUERY_LETTERS = (25, 200)
"""Shorter first sentences say too little to be found; longer ones are paragraphs."""

BODY_LETTERS = 120
"""The rest has to say something."""

_BATCH = 8
"""Texts per inference: a sixth quicker than one by one, and more bring nothing."""

# A list literal of these would take a line for each.
_STANDARD = """
    argparse ast asyncio base64 bisect bz2 calendar cmath cmd code codecs collections colorsys
    concurrent configparser contextlib copy csv ctypes curses datetime dbm decimal difflib dis doctest
    email enum filecmp fileinput fractions ftplib functools getpass gettext glob graphlib gzip hashlib
    heapq hmac html http imaplib importlib inspect io ipaddress json linecache locale logging lzma
    mailbox mimetypes multiprocessing numbers operator os pathlib pdb pickle pickletools pkgutil
    platform plistlib poplib posixpath pprint profile pstats queue random reprlib sched secrets
    selectors shelve shlex shutil smtplib socket socketserver sqlite3 ssl stat statistics string
    subprocess symtable sysconfig tarfile tempfile textwrap threading timeit token tokenize trace
    traceback tracemalloc turtle types typing unittest urllib uuid warnings wave weakref webbrowser
    wsgiref xml xmlrpc zipapp zipfile zoneinfo
""".split()  # noqa: SIM905
_NUMPY = ["lib", "linalg", "fft", "polynomial", "ma", "testing"]


def pairs(limit: int | None = None) -> list[tuple[str, str]]:
    """First sentence and rest of every docstring, in a fixed order.

    :param limit: this many, spread evenly over all of them; all without one.
    :raises InputError: the limit is below two.
    """
    every_pair = [(query, body) for query, body in _corpus()["pairs"]]
    if limit is not None and limit < 2:
        raise InputError(f"{limit} pairs make no task.", "Take two or more; a hundred tell something.")
    if limit is None or limit >= len(every_pair):
        return every_pair
    return [every_pair[index] for index in np.linspace(0, len(every_pair) - 1, limit).round().astype(int)]


def calibration(count: int) -> list[str]:
    """Texts of the same kind that belong to no pair.

    :raises InputError: there are not that many.
    """
    texts = _corpus()["others"]
    if not 1 <= count <= len(texts):
        raise InputError(f"There are {len(texts)} calibration texts, not {count}.", "Ask for fewer.")
    return [str(text) for text in texts[:count]]


def encoder() -> tuple[torch.nn.Module, dict[str, torch.Tensor], dict[str, tuple[int, int]]]:
    """The encoder as ``optguide optimize`` takes a model from Python: the module, its example inputs, shapes.

    A size of -1 varies: a text has any length.
    """
    example = minilm.tokenize("An example, whose length says nothing about that of others.")
    return minilm.build(), example, dict.fromkeys(example, (1, -1))


def texts() -> list[Tokens]:
    """Unlabelled calibration texts of their natural lengths, as ``optguide optimize --data`` takes them."""
    return tokens(calibration(160))


def tokens(texts: Sequence[str]) -> list[Tokens]:
    """The encoder's inputs, one text each, of its natural length up to 128 tokens (int64, 1 x length)."""
    encoded = minilm.tokenizer()(list(texts), truncation=True, max_length=minilm.LENGTH)
    return [
        {name: np.array([encoded[name][index]], dtype=np.int64) for name in minilm.INPUTS}
        for index in range(len(texts))
    ]


def lengths(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number of tokens of each text, at most 128."""
    return np.array([text["input_ids"].shape[1] for text in tokens(texts)], dtype=np.int64)


def embed(compiled: openvino.CompiledModel, texts: Sequence[str]) -> Embeddings:
    """Embeddings of ``texts``, one row each, in their order.

    Texts of the same length go together where the model takes them, which costs no padding.

    :param compiled: the encoder with dynamic length; as many inferences are in flight as its hint asks for.
    """
    inputs = tokens(texts)
    size = _BATCH if compiled.input(0).partial_shape[0].is_dynamic else 1
    batches = list(_same_length(inputs, size))
    arrays = (
        {name: np.concatenate([inputs[index][name] for index in batch]) for name in inputs[0]}
        for batch in batches
    )
    embeddings = np.concatenate([outputs[0] for outputs in infer_all(compiled, arrays)])
    # Back from the order of the batches to that of the texts.
    return embeddings[np.argsort(np.concatenate(batches))].astype(np.float32)


def _same_length(inputs: Sequence[Tokens], size: int) -> Iterator[list[int]]:
    """The places of inputs of one length, at most ``size`` at a time, the shortest first."""

    def length(index: int) -> int:
        return int(inputs[index]["input_ids"].shape[1])

    for _, group in groupby(sorted(range(len(inputs)), key=length), key=length):
        indices = list(group)
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


def hits(queries: Embeddings, bodies: Embeddings) -> npt.NDArray[np.bool_]:
    """Whether each query is nearest to the body of the same row, by cosine (rows have length one)."""
    nearest = (queries @ bodies.T).argmax(axis=1)
    return np.asarray(nearest == np.arange(len(queries)))


@cache
def _corpus() -> dict[str, list[Any]]:
    """Parsing a few hundred source files takes seconds, so it is done once."""
    recipe = Recipe(
        "retrieval",
        _make,
        sources=(Path(__file__),),
        packages=("numpy",),
        ingredients=(f"python {platform.python_version()}",),
    )
    content: dict[str, list[Any]] = json.loads((ensure(recipe) / "texts.json").read_text("utf-8"))
    return content


def _make(folder: Path) -> None:
    bodies: dict[str, str] = {}
    for docstring in _docstrings():
        query, body = _split(docstring)
        if QUERY_LETTERS[0] <= len(query) <= QUERY_LETTERS[1] and len(body) >= BODY_LETTERS:
            bodies.setdefault(query, body)
    unique = [(query, body) for body, query in {body: query for query, body in bodies.items()}.items()]
    # Every second is kept for calibration; modules follow each other, so both sets have all subjects.
    content = {"pairs": unique[::2], "others": [text for pair in unique[1::2] for text in pair]}
    (folder / "texts.json").write_text(json.dumps(content), encoding="utf-8")


def _split(docstring: str) -> tuple[str, str]:
    """The first sentence and everything after it, without line breaks."""
    text = re.sub(r"\s+", " ", docstring).strip()
    first, stop, body = text.partition(". ")
    return (first + stop).strip(), body.strip()


def _docstrings() -> Iterator[str]:
    """Docstrings of public functions, methods and classes, read without importing anything."""
    standard = Path(sysconfig.get_paths()["stdlib"])
    spec = find_spec("numpy")
    numpy = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else standard
    for root, names in ((standard, _STANDARD), (numpy, _NUMPY)):
        for name in names:
            for file in (root / f"{name}.py", *sorted((root / name).rglob("*.py"))):
                inner = file.relative_to(root).parts[1:]
                if file.is_file() and not any(part.startswith("test") for part in inner):
                    yield from _of_file(file)


def _of_file(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_":
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring
