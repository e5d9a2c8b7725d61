"""The network that reads digits, and a training loop in plain PyTorch for training and fine-tuning alike.

The network is of the kind that small devices run (after MobileNetV3, arXiv:1905.02244), at the size of the
images.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

_WIDTHS = (10, 16, 24, 32)
_STRIDES = (2, 1, 2)
_BATCH = 64


def network(seed: int = 0) -> torch.nn.Module:
    """The untrained network: images (any number, 1 x 8 x 8) to ten logits each.

    Depthwise-separable convolutions with hard-swish and squeeze-and-excitation. Such networks are known to be
    hard to quantize after training: they have few channels, and factors between 0 and 1 scale them.

    :param seed: seed of the initial weights. Torch's own random numbers neither matter nor change.
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
                nn.Conv2d(1, _WIDTHS[0], 3, padding=1, bias=False),
                nn.BatchNorm2d(_WIDTHS[0]),
                nn.Hardswish(),
                *map(separable, _WIDTHS, _WIDTHS[1:], _STRIDES),
            )
            self.classifier = nn.Linear(_WIDTHS[-1], 10)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.features(image).mean(dim=(2, 3)))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Digits()


def train(  # noqa: PLR0913  # the knobs of a training, all given by name
    module: torch.nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    epochs: int,
    rate: float,
    seed: int = 0,
    factors: Mapping[str, float] | None = None,
    extra_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    after_step: Callable[[int], object] | None = None,
    after_epoch: Callable[[int], object] | None = None,
) -> list[float]:
    """Train ``module`` in place, leave it in evaluation mode, and return the mean loss of each epoch.

    The same arguments give the same weights on one machine: one thread, so that sums are always taken in the
    same order, and random numbers from ``seed``. Torch's own threads and random numbers are then as before.

    :param rate: highest learning rate; it rises during the first third of all steps, then falls to zero.
    :param factors: multiply the rate of parameters whose names end with a key (``{".mask": 30}``).
    :param extra_loss: computed from a batch's images and logits and added to the cross-entropy:
        disagreement with a teacher, or a penalty that looks at neither.
    :param after_step: called with the number of steps done.
    :param after_epoch: called with the number of epochs done; may evaluate the module.
    """
    import torch

    x, y = torch.tensor(images), torch.tensor(labels)
    groups = _groups(module, rate, factors or {})
    optimizer = torch.optim.AdamW(groups)
    steps = epochs * -(-len(x) // _BATCH)
    highest = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=steps)
    losses, step = [], 0
    with _repeatable(seed):
        for epoch in range(1, epochs + 1):
            module.train()
            total = 0.0
            for batch in torch.randperm(len(x)).split(_BATCH):
                optimizer.zero_grad()
                logits = module(x[batch])
                loss = torch.nn.functional.cross_entropy(logits, y[batch])
                if extra_loss:
                    loss = loss + extra_loss(x[batch], logits)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += len(batch) * loss.item()
                step += 1
                if after_step:
                    after_step(step)
            losses.append(total / len(x))
            module.eval()
            if after_epoch:
                after_epoch(epoch)
    return losses


def _groups(module: torch.nn.Module, rate: float, factors: Mapping[str, float]) -> list[dict[str, Any]]:
    """The parameters by their learning rate."""
    by_rate: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        factor = next((factor for ending, factor in factors.items() if name.endswith(ending)), 1.0)
        by_rate.setdefault(rate * factor, []).append(parameter)
    return [{"params": parameters, "lr": lr} for lr, parameters in by_rate.items()]


@contextlib.contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
