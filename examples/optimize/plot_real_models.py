"""
Quantize real models
====================

Four published models on tasks whose answers are known: photographs, lines of text, types of files, the pitch of
tones. Each runs in 32-bit floats, in the default precision, with 8-bit weights and quantized throughout; where
quantization costs too much, it is mended.
"""

# %%
# Three ways to 8 bits
# --------------------
#
# ``compress_weights`` needs no data. ``quantize`` runs samples through the model, without their labels. What it
# loses lies in depthwise layers here, whose channels differ more in range than one scale can hold, so the third
# way leaves them as they are.

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import packaged_tasks
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov


def compress(folder: Path, task: str, source: str, way: str, count: int) -> None:
    for part in (0, 1):  # each is tested with what the other has calibrated
        model = ov.Core().read_model(source)
        samples = nncf.Dataset(packaged_tasks.TASKS[task].data(count, 1 - part).inputs)
        if way == "weights":
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
        elif way == "int8":
            model = nncf.quantize(model, samples, subset_size=count)
        else:
            spared = nncf.IgnoredScope(types=["GroupConvolution"])
            model = nncf.quantize(model, samples, subset_size=count, ignored_scope=spared)
        ov.save_model(model, folder / f"{part}.xml", compress_to_fp16=False)
