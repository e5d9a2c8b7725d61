"""Fixtures that several test modules share: small models in every format, built once per run."""

from __future__ import annotations

import multiprocessing.util
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings

from optguide.bench.variant import Variant

WIDTH = 16

LONGEST_FIRST = (
    "plots/test_plots.py",
    "optimize/test_pipeline.py",
    "site/test_sphinxext.py",
    "bench/test_session.py",
    "optimize/report/test_files.py",
    "bench/test_process.py",
    "optimize/report/test_page.py",
    "cli/test_optimize.py",
    "test_quiet.py",
    "optimize/search/test_race.py",
    "bench/test_colocation.py",
)
"""Files that parallel processes begin with, so that none is left with a long one at the end."""

# The same examples in every run, and no deadline: a busy machine is no reason to fail.
settings.register_profile("optguide", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("optguide")


def pytest_collection_modifyitems(items):
    """Put the files that take longest first."""
    place = {name: index for index, name in enumerate(LONGEST_FIRST)}
    root = Path(__file__).parent
    items.sort(key=lambda item: place.get(item.path.relative_to(root).as_posix(), len(place)))


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory):
    """Folders for temporary files of this run's own, so that it has a measuring lock of its own.

    The real lock keeps measurements apart whose numbers count. Tests look at structure, so they neither wait
    for a real measurement nor stop one, and several runs of pytest do not meet.
    """
    tmp_path_factory.getbasetemp()  # stays where pytest keeps it
    multiprocessing.util.get_temp_dir()  # stays until this process ends, which removes it
    folder = tempfile.mkdtemp(prefix="optguide-tests-")
    patch = pytest.MonkeyPatch()
    patch.setenv("TMPDIR", folder)
    patch.setattr(tempfile, "tempdir", folder)
    yield Path(folder)
    patch.undo()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def plain_terminal():
    """What commands print depends on no setting of the terminal that runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PYTHONWARNINGS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Where the models of this run are kept."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def weights():
    """Of one linear layer, the same in every format."""
    rng = np.random.default_rng(7)
    return rng.standard_normal((WIDTH, WIDTH), dtype=np.float32)


@pytest.fixture(scope="session")
def inputs(models):
    """One batch of one, under the name ``x``."""
    return _save_inputs(models / "inputs.npz", x=np.random.default_rng(1).standard_normal((1, WIDTH)))


@pytest.fixture(scope="session")
def ir(models, weights):
    """An IR: ``tanh(x @ weights)``, x of shape 1 by 16."""
    return _save_ir(
        models / "linear.xml", [1, WIDTH], lambda ops, x: ops.tanh(ops.matmul(x, weights, False, False))
    )


@pytest.fixture(scope="session")
def dynamic_ir(models, weights):
    """The same with a dynamic batch."""
    return _save_ir(
        models / "dynamic.xml", [-1, WIDTH], lambda ops, x: ops.tanh(ops.matmul(x, weights, False, False))
    )


@pytest.fixture(scope="session")
def open_ir(models):
    """``tanh(x)`` with a second size that is open, which nothing but the reader can settle."""
    return _save_ir(models / "open.xml", [1, -1], lambda ops, x: ops.tanh(x))


@pytest.fixture(scope="session")
def onnx_model(models, weights):
    """The same as ONNX."""
    return _save_onnx(models / "linear.onnx", [1, WIDTH], weights)


@pytest.fixture(scope="session")
def dynamic_onnx_model(models, weights):
    """The same as ONNX with a dynamic batch."""
    return _save_onnx(models / "dynamic.onnx", ["batch", WIDTH], weights)


@pytest.fixture(scope="session")
def torch_module(models, weights):
    """The same as a PyTorch module in a module file: its folder, and what names it in a variant."""
    np.save(models / "weights.npy", weights)
    (models / "linear_torch.py").write_text(
        "from pathlib import Path\n"
        "import numpy, torch\n"
        "class Linear(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        values = numpy.load(Path(__file__).with_name('weights.npy'))\n"
        "        self.weights = torch.nn.Parameter(torch.from_numpy(values))\n"
        "    def forward(self, x):\n"
        "        return torch.tanh(x @ self.weights)\n"
        "def build():\n"
        "    return Linear()\n"
    )
    return models, "linear_torch:build"


@pytest.fixture(scope="session")
def torch_export(torch_module):
    """The same as a saved torch export."""
    torch = pytest.importorskip("torch")
    folder, _ = torch_module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        from linear_torch import build
    program = torch.export.export(build(), (torch.zeros(1, WIDTH),))
    path = folder / "linear.pt2"
    torch.export.save(program, path)
    return path


@pytest.fixture(scope="session")
def save_ir():
    """Write an IR: ``save_ir(path, shape, body)``."""
    return _save_ir


@pytest.fixture(scope="session")
def save_inputs():
    """Write an input file: ``save_inputs(path, name=array)``."""
    return _save_inputs


@pytest.fixture(scope="session")
def alive():
    """Whether a process identifier is that of a living process."""
    return _alive


@pytest.fixture(scope="session")
def quick_variant():
    """A function variant that starts fast: a few microseconds of NumPy per call."""

    def make():
        import numpy

        values = numpy.arange(256.0)
        return lambda: values * 2

    return Variant.from_function("quick", make)


@pytest.fixture
def no_figures(monkeypatch):
    """Reports of ``optimize`` without figures, which take longest; the page's own tests draw them."""
    from optguide.optimize.report import figures

    for name, nothing in (("trade_off", None), ("frontier", None), ("load", ()), ("layers", ())):
        monkeypatch.setattr(figures, name, lambda _, nothing=nothing: nothing)


@pytest.fixture
def optguide(capsys, monkeypatch):
    """Run the command in this process: ``optguide("measure", path)`` has ``status``, ``out`` and ``err``.

    Lines are as long as they need to be, whatever this machine is called, and sessions get their first six
    rounds however slow it is.
    """
    from optguide.bench import budget
    from optguide.cli import main

    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setattr(budget, "OVERTIME", 1000.0)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["optguide", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return SimpleNamespace(status=ended.value.code, out=captured.out, err=captured.err)

    return run


def _save_inputs(path, **arrays):
    """Write arrays as float32 where they are floats; the path."""
    np.savez(path, **{k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in arrays.items()})
    return path


def _save_ir(path, shape, body):
    """Write an IR with one float input ``x`` whose output is ``body(ops, x)``; the path of its .xml."""
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter(shape, np.float32, name="x")
    x.output(0).set_names({"x"})
    openvino.save_model(openvino.Model([body(ops, x)], [x]), path, compress_to_fp16=False)
    return path


def _save_onnx(path, shape, weights):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node("Tanh", ["product"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def _alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


@pytest.fixture
def interruptible():
    """A test run in the background of a shell ignores interrupts, and its children would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
