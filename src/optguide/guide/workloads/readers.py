"""The sentence encoder as a reader has a model of his own: a module, an example of its inputs, some texts.

``optguide optimize optguide.guide.workloads.readers:encoder --data
optguide.guide.workloads.readers:texts`` takes it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optguide.guide.workloads import minilm, retrieval

if TYPE_CHECKING:
    import torch

__all__ = ["encoder", "texts"]

TEXTS = 160


def encoder() -> tuple[torch.nn.Module, dict[str, torch.Tensor], dict[str, tuple[int, int]]]:
    """The module, the inputs of one text, and which of their sizes vary (-1): a text has any length."""
    example = minilm.tokenize("An example, whose length says nothing about that of others.")
    return minilm.build(), example, dict.fromkeys(example, (1, -1))


def texts() -> list[retrieval.Tokens]:
    """Docstrings of their natural lengths, without labels."""
    return retrieval.tokens(retrieval.calibration(TEXTS))
