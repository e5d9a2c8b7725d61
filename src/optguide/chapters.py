"""The guide's chapters and the order in which they are read."""

from __future__ import annotations

CHAPTERS: dict[str, tuple[str, ...]] = {
    "measure": (
        "what_is_performance",
        "benchmark_app",
        "first_inference",
        "frameworks",
        "across_releases",
        "pre_and_post_processing",
        "credible_numbers",
        "where_the_time_goes",
        "latency_under_load",
    ),
    "optimize": (
        "post_training_quantization",
        "calibration_samples",
        "transformer_trap",
        "pot_and_nncf",
        "pot_with_accuracy_control",
        "accuracy_control",
        "quantization_aware_training",
        "sparsity",
        "sparse_speed",
        "compression_combined",
        "weight_compression",
        "real_models",
        "choose",
    ),
    "deploy": (
        "performance_hints",
        "batching",
        "async_api",
        "streams_and_threads",
        "threads_in_a_container",
        "device_combinations",
        "hetero",
        "device_tuning",
        "dynamic_quantization",
        "denormals",
        "first_inference_deployed",
        "preprocessing_in_the_graph",
        "copies",
        "dynamic_shapes",
        "new_lengths",
        "dynamic_width",
        "state",
        "several_models",
        "put_together",
    ),
    "tune": ("optimize_command", "optimize_with_labels"),
}
"""Chapters and their examples in reading order; what is not listed comes last, by name."""


def place_of_chapter(name: str) -> tuple[int, str]:
    """Sorting key of a chapter."""
    return _place(name, tuple(CHAPTERS))


def place_of_example(name: str) -> tuple[int, str]:
    """Sorting key of an example, ``what_is_performance``."""
    return _place(name, tuple(name for names in CHAPTERS.values() for name in names))


def _place(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)
