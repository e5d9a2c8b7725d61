"""The network: depthwise-separable convolutions with hard-swish, as networks for small devices have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["network"]


def network(seed: int = 0) -> torch.nn.Module:
    """The untrained network: images (any number, 1 x 8 x 8) to ten logits each.

    Few channels and hard-swish make it hard to quantize: the range of a layer's activations is wide, and
    every step of an 8-bit scale counts.

    :param seed: of the initial weights; the state of torch's own random numbers does not matter or change.
    """
    import torch
    from torch import nn

    def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.Hardswish(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.Hardswish(),
        )

    class Digits(nn.Module):  # type: ignore[misc]  # mypy skips torch
        # A class of its own: NNCF does not take a bare nn.Sequential.
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.Hardswish(),
                separable(8, 16, stride=2),
                separable(16, 24, stride=1),
                separable(24, 32, stride=2),
            )
            self.classifier = nn.Linear(32, 10)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.features(image).mean(dim=(2, 3)))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Digits()
