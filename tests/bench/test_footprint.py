from __future__ import annotations

import sys

import numpy as np
import psutil
import pytest

from optguide.bench.worker import _from_status, footprint

STATUS = """\
Name:\tpython
VmPeak:\t  900000 kB
VmHWM:\t  300 kB
VmRSS:\t  200 kB
RssAnon:\t  120 kB
RssFile:\t  80 kB
Threads:\t3
"""


def test_the_kernels_fields_in_bytes():
    assert _from_status(STATUS) == {"peak_rss": 307200, "rss": 204800, "private": 122880}


def test_an_older_kernel_does_not_tell_what_is_private():
    older = STATUS.replace("RssAnon:\t  120 kB\n", "")
    assert _from_status(older) == {"peak_rss": 307200, "rss": 204800, "private": None}


def test_the_resident_memory_is_that_of_this_process():
    found = footprint()
    assert found["peak_rss"] > 1e6
    if found["rss"] is not None:
        assert found["rss"] == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)
        assert found["private"] < found["rss"] <= found["peak_rss"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells files apart")
def test_mapped_files_are_resident_and_not_private(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(50_000_000))
    before = footprint()
    mapped = np.memmap(path, np.uint8, "r")
    assert mapped.sum() == 0
    after = footprint()
    assert after["rss"] - before["rss"] > 45e6
    assert after["private"] - before["private"] < 10e6
