from __future__ import annotations

import subprocess
import sys

import pytest

import optguide


def test_exported_names_exist_and_are_listed():
    assert dir(optguide) == sorted(optguide.__all__)
    for name in optguide.__all__:
        found = getattr(optguide, name)
        assert found.__name__ == name
        assert found.__module__.startswith("optguide.")


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="'optguide' has no attribute 'Measure'"):
        _ = optguide.Measure


def test_import_is_light():
    """``optguide --help`` and a worker under another interpreter pay for what they use only."""
    code = "import sys, optguide, optguide.errors; print(*{n.partition('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "scipy", "openvino", "matplotlib", "torch", "msgspec", "psutil", "rich", "asyncio"}
    assert not heavy & set(done.stdout.split())


def test_worker_side_needs_the_standard_library_and_numpy_only():
    code = (
        "import sys, optguide.bench.worker, importlib\n"
        "for name in ('openvino', 'onnxruntime', 'torch', 'tensorflow', 'function'):\n"
        "    importlib.import_module(f'optguide.runtimes.{name}')\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    bare = subprocess.run(
        [sys.executable, "-c", "import sys, numpy; print(*{n.partition('.')[0] for n in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    extra = loaded - set(bare.stdout.split()) - set(sys.stdlib_module_names)
    assert extra == {"optguide"}
