"""Quantize with the Post-training Optimization Tool (POT) of OpenVINO 2023.3.

Runs in an environment of its own, created by ``nox -s environments -- pot``::

    python quantize.py FOLDER

``job.json`` there names an ONNX model and an algorithm of POT with its parameters;
``data.npz`` holds inputs and labels. The quantized model goes to the folder.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import openvino as ov
from openvino.tools.pot import (
    DataLoader,
    IEEngine,
    Metric,
    create_pipeline,
    load_model,
    save_model,
)


class Samples(DataLoader):
    """Inputs in batches of one, as the model takes them, each with its label."""

    def __init__(self, inputs, labels):
        super().__init__({})
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index], self.labels[index]


class Accuracy(Metric):
    """Share of right answers. Only AccuracyAwareQuantization asks for it."""

    def reset(self):
        self.right = []

    def update(self, output, target):
        self.right.append(float(np.argmax(output[0]) == target[0]))

    @property
    def value(self):
        return {"accuracy": self.right[-1:]}

    @property
    def avg_value(self):
        return {"accuracy": float(np.mean(self.right))}

    def get_attributes(self):
        return {"accuracy": {"direction": "higher-better", "type": "accuracy"}}


folder = Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
data = np.load(folder / "data.npz")
inputs = data["inputs"]
original = folder / "original.xml"  # POT reads IR, and only that of its own release
converted = ov.convert_model(job["model"], input=list(inputs[0].shape))
ov.save_model(converted, original, compress_to_fp16=False)
os.chdir(folder)  # AccuracyAwareQuantization leaves files in the current folder

files = {"model": str(original), "weights": str(original.with_suffix(".bin"))}
model = load_model({"model_name": "model", **files})
loader = Samples(inputs, data["labels"])
engine = IEEngine({"device": "CPU"}, loader, Accuracy())
quantized = create_pipeline([job["algorithm"]], engine).run(model)
save_model(quantized, str(folder), model_name=job["algorithm"]["name"])
