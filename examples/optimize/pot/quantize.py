"""Quantize a model with the Post-training Optimization Tool (POT), as of OpenVINO 2023.3.

Runs in an environment of its own, which ``nox -s environments -- pot`` creates::

    python quantize.py job.json

The job names an ONNX model, images with their labels, a folder, and POT's algorithms with their parameters.
Each algorithm's model goes to the folder, and seconds.json there says how long it took, each time it ran, by
the clock and in CPU time.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov
from openvino.tools.pot import DataLoader, IEEngine, Metric, create_pipeline, load_model, save_model


class Images(DataLoader):
    """Images one by one, in batches of one as the model takes them, each with its label."""

    def __init__(self, images, labels):
        super().__init__({})
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index : index + 1], self.labels[index]


class Accuracy(Metric):
    """Share of right answers. Only AccuracyAwareQuantization asks for it."""

    def reset(self):
        """Forget the samples so far."""
        self.right = []

    def update(self, output, target):
        """Take in the output for one sample, and its label."""
        self.right.append(float(np.argmax(output[0]) == target[0]))

    @property
    def value(self):
        """What the last sample contributes."""
        return {"accuracy": self.right[-1:]}

    @property
    def avg_value(self):
        """Of all samples so far."""
        return {"accuracy": float(np.mean(self.right))}

    def get_attributes(self):
        """For POT: more is better."""
        return {"accuracy": {"direction": "higher-better", "type": "accuracy"}}


def quantize(original, images, labels, algorithm):
    """Return the quantized model, and the seconds that the algorithm took, by the clock and of the CPU."""
    model = load_model(
        {"model_name": "model", "model": str(original), "weights": str(original.with_suffix(".bin"))}
    )
    engine = IEEngine({"device": "CPU"}, Images(images, labels), Accuracy())
    pipeline = create_pipeline([algorithm], engine)
    start = time.perf_counter(), time.process_time()
    quantized = pipeline.run(model)
    return quantized, (time.perf_counter() - start[0], time.process_time() - start[1])


def main(path):
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    data, folder = np.load(job["data"]), Path(job["folder"])
    original = folder / "original.xml"  # POT reads IR, and only that of its own release
    ov.save_model(ov.convert_model(job["model"]), original, compress_to_fp16=False)
    os.chdir(folder)  # AccuracyAwareQuantization leaves files in the current folder
    seconds = {}
    for algorithm in job["algorithms"]:
        name = algorithm["name"]
        runs = [
            quantize(original, data["images"], data["labels"], algorithm) for _ in range(job.get("runs", 1))
        ]
        save_model(runs[-1][0], str(folder), model_name=name)
        seconds[name] = [taken for _, taken in runs]
    (folder / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")


main(sys.argv[1])
