"""What the shell completes beyond commands and options: models and the settings of a variant.

Everything here is known without importing a runtime, because a shell waits for it at every press of a key.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

__all__ = ["PROPERTIES", "complete_property", "complete_variant", "joined", "words_of_bash"]

PROPERTIES = {
    "CACHE_DIR": (),
    "CPU_DENORMALS_OPTIMIZATION": ("YES", "NO"),
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": ("0", "32", "64"),
    "ENABLE_CPU_PINNING": ("YES", "NO"),
    "ENABLE_CPU_RESERVATION": ("YES", "NO"),
    "ENABLE_HYPER_THREADING": ("YES", "NO"),
    "ENABLE_MMAP": ("YES", "NO"),
    "EXECUTION_MODE_HINT": ("PERFORMANCE", "ACCURACY"),
    "INFERENCE_NUM_THREADS": (),
    "INFERENCE_PRECISION_HINT": ("f32", "bf16", "f16"),
    "KV_CACHE_PRECISION": ("u8", "bf16", "f16", "f32"),
    "MODEL_DISTRIBUTION_POLICY": (),
    "NUM_STREAMS": ("AUTO", "1", "2", "4"),
    "PERFORMANCE_HINT": ("LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT"),
    "PERFORMANCE_HINT_NUM_REQUESTS": (),
    "PERF_COUNT": ("YES", "NO"),
    "SCHEDULING_CORE_TYPE": ("ANY_CORE", "PCORE_ONLY", "ECORE_ONLY"),
}
"""Properties of the CPU that can be set, with values worth offering. Others can be written all the same."""


def complete_variant(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Files up to an ``@``; behind it names of settings and, behind their ``=``, values."""
    from click.shell_completion import CompletionItem

    from optguide.cli.variants import keys

    model, at, settings = incomplete.rpartition("@")
    if not at:
        return [CompletionItem(incomplete, type="file")]
    done, comma, last = settings.rpartition(",")
    return _items(f"{model}@{done}{comma}", last, keys() | PROPERTIES)


def complete_property(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """``NUM_STREAMS=`` and, behind the ``=``, values."""
    return _items("", incomplete, PROPERTIES)


def words_of_bash() -> None:
    """Let ``bash`` complete settings of a variant, whose words it breaks at ``@`` and ``=``."""
    from click.shell_completion import BashComplete, add_completion_class

    class Words(BashComplete):
        source_template = BashComplete.source_template.replace(
            "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace"
        )
        head = ""

        def get_completion_args(self) -> tuple[list[str], str]:
            args, incomplete = super().get_completion_args()
            args, whole = joined(args, incomplete)
            self.head = "" if whole == incomplete else whole[: 1 + max(map(whole.rfind, _BREAKS))]
            return args, whole

        def format_completion(self, item: CompletionItem[str]) -> str:
            item.value = item.value.removeprefix(self.head)
            return super().format_completion(item)

    add_completion_class(Words)


_BREAKS = ("@", "=", ":")


def joined(args: list[str], incomplete: str) -> tuple[list[str], str]:
    """Words of a variant that ``bash`` has broken, in one piece again; others as they are.

    ``model.xml``, ``@``, ``hint``, ``=``, ``lat`` are one word. Without a break between them words are two.
    """
    words = [*args, incomplete]
    if "@" not in words:
        return args, incomplete
    start = len(words) - 1 - words[::-1].index("@")
    run = words[start:]
    if any(a not in _BREAKS and b not in _BREAKS for a, b in itertools.pairwise(run)):
        return args, incomplete
    if start and not words[start - 1].startswith("-"):
        start -= 1  # the model; written apart, its settings complete alike
    return words[:start], "".join(words[start:])


def _items(head: str, written: str, known: dict[str, tuple[str, ...]]) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    key, equals, value = written.partition("=")
    if equals:
        return [
            CompletionItem(f"{head}{key}={choice}")
            for choice in known.get(key, ())
            if choice.startswith(value)
        ]
    return [CompletionItem(f"{head}{name}=") for name in known if name.startswith(key)]
