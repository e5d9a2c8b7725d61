"""Times of the layers of a model that OpenVINO has compiled with ``PERF_COUNT``.

A counter is the mean over all inferences of the compiled model, in whole microseconds, and nothing resets it.
Mean times number is a sum, though, and the difference of two sums is the time of the inferences between. The
mean is rounded down, so that a difference is off by up to a microsecond for each time that the inferences
between fit into all that were made, to either side: count in a model that has just been compiled.
"""

from __future__ import annotations

import itertools
import time
from datetime import timedelta
from typing import Any

from optguide.errors import ModelError

_MICROSECOND = timedelta(microseconds=1)
_NO_WORK = ("Parameter", "Input", "Output", "Result", "Const", "Constant")
"""Kinds of nodes that hold data and compute nothing."""


class LayerCounter:
    """Counts the inferences of one compiled model; nobody else may make any.

    :param runner: an :class:`~optguide.runtimes.openvino.OpenVINORunner` that has loaded its model and has
        not called it yet.
    """

    def __init__(self, runner: Any) -> None:
        self.runner = runner
        self._compiled = runner.compiled
        self._feeds = [runner.handed_over(arrays) for arrays in runner.sets]
        self._request = runner.compiled.create_infer_request()
        self._done = 0
        self._attributes: dict[str, dict[str, str]] | None = None

    def turn(self, seconds: float, discard: float) -> dict[str, Any]:
        """Infer for ``seconds``, each input set equally often, after ``discard`` seconds that do not count.

        :return: microseconds per inference by layer (``times``) and for the caller (``latency_us``), the
            number of counted inferences (``calls``), and kind, precision and origin by layer (``layers``).
        """
        self._infer(discard)
        before = self._sums()
        done, start = self._done, time.perf_counter()
        self._infer(seconds)
        wall, calls = time.perf_counter() - start, self._done - done
        after = self._sums()
        if not after:
            raise ModelError(
                f"{self.runner.settings.device} reports no layer times for this model.",
                "Look at its layers on another device, such as CPU.",
            )
        return {
            "times": {name: (total - before.get(name, 0.0)) / calls for name, total in after.items()},
            "latency_us": wall / calls * 1e6,
            "calls": calls,
            "layers": self._described(),
        }

    def _infer(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        for index, feed in enumerate(itertools.cycle(self._feeds)):
            if index and index % len(self._feeds) == 0 and time.perf_counter() >= end:
                return
            if self.runner.stateful:
                self._request.reset_state()
            self._request.infer(feed)
            self._done += 1

    def _sums(self) -> dict[str, float]:
        """Microseconds of all inferences so far, by layer."""
        sums: dict[str, float] = {}
        for info in self._counted():
            total = self._done * (info.real_time / _MICROSECOND)
            sums[info.node_name] = sums.get(info.node_name, 0.0) + total
        return sums

    def _counted(self) -> list[Any]:
        """Counters of layers that do something, those that the compiled graph has.

        The others were fused into a layer whose time includes them. Their status is ``NOT_RUN``, but so is
        that of a layer whose mean is below a microsecond.
        """
        graph = self._graph()
        return [
            info
            for info in self._request.profiling_info
            if (info.node_name in graph if graph else info.status.name == "EXECUTED")
            and graph.get(info.node_name, {}).get("layerType", info.node_type) not in _NO_WORK
        ]

    def _described(self) -> dict[str, dict[str, Any]]:
        graph, layers = self._graph(), {}
        for info in self._counted():
            attributes = graph.get(info.node_name, {})
            layers[info.node_name] = {
                "kind": attributes.get("layerType") or info.node_type,
                "precision": attributes.get("runtimePrecision") or _last_part(info.exec_type),
                "origin": [part for part in attributes.get("originalLayersNames", "").split(",") if part],
            }
        return layers

    def _graph(self) -> dict[str, dict[str, str]]:
        """Read after the first inference, which with dynamic shapes decides kernels and precisions."""
        if self._attributes is None:
            self._attributes = _runtime_graph(self._compiled)
        return self._attributes


def _runtime_graph(compiled: Any) -> dict[str, dict[str, str]]:
    """What is known of each layer that was compiled; nothing where the device does not show its graph."""
    try:
        operations = compiled.get_runtime_model().get_ordered_ops()
    except RuntimeError:
        return {}
    return {
        operation.get_friendly_name(): {
            key: str(value.value) for key, value in operation.get_rt_info().items()
        }
        for operation in operations
    }


def _last_part(kernel: str) -> str:
    """The precision at the end of a kernel's name: ``bf16`` of ``brgconv_avx512_amx_BF16``."""
    short = {"fp32": "f32", "fp16": "f16"}
    last = kernel.rpartition("_")[2].lower()
    return short.get(last, last)
