"""What the shell completes beyond commands and options: models and the settings of a variant.

A shell waits for this at every press of a key, so the module of settings, which needs NumPy, is imported only
to complete a setting.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from optguide.openvino_release import CPU_PROPERTIES

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def complete_variant(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Files up to an ``@``; behind it names of settings and, behind their ``=``, values."""
    from click.shell_completion import CompletionItem

    model, at, written = incomplete.rpartition("@")
    if not at:
        return [CompletionItem(incomplete, type="file")]
    from optguide.cli.variants import keys  # imports NumPy, and the list of commands needs this module

    # Behind "shape." stands the name of an input, which only the model knows.
    settings = {key: values for key, values in keys().items() if key != "shape"}
    done, comma, last = written.rpartition(",")
    return _items(f"{model}@{done}{comma}", last, settings | CPU_PROPERTIES)


def complete_property(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """``NUM_STREAMS=`` and, behind the ``=``, values."""
    return _items("", incomplete, CPU_PROPERTIES)


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


def _items(head: str, written: str, choices: dict[str, tuple[str, ...]]) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    key, equals, value = written.partition("=")
    if equals:
        return [
            CompletionItem(f"{head}{key}={choice}")
            for choice in choices.get(key, ())
            if choice.startswith(value)
        ]
    return [CompletionItem(f"{head}{name}=") for name in choices if name.startswith(key)]
