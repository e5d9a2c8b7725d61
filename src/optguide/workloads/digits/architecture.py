"""The network: what small devices run (after MobileNetV3, arXiv:1905.02244), at the size of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["network"]

WIDTHS = (10, 16, 24, 32)
STRIDES = (2, 1, 2)


def network(seed: int = 0) -> torch.nn.Module:
    """The untrained network: images (any number, 1 x 8 x 8) to ten logits each.

    Depthwise-separable convolutions with hard-swish and squeeze-and-excitation. Such networks are known to be
    hard to quantize after training: they have few channels, and factors between 0 and 1 scale them.

    :param seed: of the initial weights. Torch's own random numbers neither matter nor change.
    """
    import torch
    from torch import nn

    class Excitation(nn.Module):  # type: ignore[misc]  # mypy skips torch
        """Scale each channel by a factor that depends on all of them."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.squeeze = nn.Conv2d(channels, max(4, channels // 4), 1)
            self.excite = nn.Conv2d(max(4, channels // 4), channels, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = nn.functional.relu(self.squeeze(x.mean(dim=(2, 3), keepdim=True)))
            return x * nn.functional.hardsigmoid(self.excite(hidden))

    def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.Hardswish(),
            Excitation(inputs),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.Hardswish(),
        )

    class Digits(nn.Module):  # type: ignore[misc]  # mypy skips torch
        # A class of its own: NNCF does not take a bare nn.Sequential.
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False),
                nn.BatchNorm2d(WIDTHS[0]),
                nn.Hardswish(),
                *map(separable, WIDTHS, WIDTHS[1:], STRIDES),
            )
            self.classifier = nn.Linear(WIDTHS[-1], 10)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.features(image).mean(dim=(2, 3)))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Digits()
