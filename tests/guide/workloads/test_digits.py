"""Digits: every image is judged once, by a network that has not seen it, and trainings can be repeated."""

from __future__ import annotations

import numpy as np
import openvino
import pytest
import torch

from optguide.errors import InputError, OutputError
from optguide.guide.workloads import digits
from optguide.guide.workloads.digits import (
    FOLDS,
    build,
    correct,
    data,
    network,
    shifted,
    train,
)

F32 = {"INFERENCE_PRECISION_HINT": "f32"}


def converted(module):
    """A module of PyTorch, compiled."""
    model = openvino.convert_model(module.eval(), example_input=torch.zeros(1, 1, 8, 8))
    return openvino.Core().compile_model(model, "CPU", F32)


@pytest.fixture(scope="module")
def trained():
    """The workload of the first fold."""
    return digits()


def compiled(path, shape=None):
    model = openvino.Core().read_model(path)
    if shape:
        model.reshape(shape)
    return openvino.Core().compile_model(model, "CPU", F32)


def test_the_folds_hold_every_image_out_once():
    parts = [data(fold) for fold in range(FOLDS)]
    assert sum(len(part.test_labels) for part in parts) == 1797
    held_out = np.concatenate([part.test_images for part in parts]).reshape(1797, -1)
    everything = np.concatenate([parts[0].train_images, parts[0].test_images]).reshape(1797, -1)
    np.testing.assert_array_equal(np.unique(held_out, axis=0), np.unique(everything, axis=0))
    for part in parts:
        assert len(part.train_labels) + len(part.test_labels) == 1797
        per_digit = np.bincount(part.test_labels)
        assert per_digit.min() >= 34
        assert per_digit.max() <= 37


def test_no_image_of_a_test_part_is_learned_from():
    for fold in range(FOLDS):
        part = data(fold)
        learned = {image.tobytes() for image in part.train_images}
        assert not learned & {image.tobytes() for image in part.test_images}


def test_images_are_what_the_network_takes():
    part = data(1)
    assert part.train_images.shape[1:] == part.test_images.shape[1:] == (1, 8, 8)
    assert (part.train_images.dtype, part.train_labels.dtype) == (np.float32, np.int64)
    assert (part.train_images.min(), part.train_images.max()) == (0, 1)
    with pytest.raises(ValueError, match="read-only"):
        part.train_images[0] = 0


@pytest.mark.parametrize("fold", [-1, FOLDS, 0.5])
def test_other_folds_are_refused(fold):
    with pytest.raises(InputError, match="There is no fold") as caught:
        data(fold)
    assert caught.value.remedy == f"Use one of 0 to {FOLDS - 1}."
    with pytest.raises(InputError):
        digits(fold)


def test_shifted_copies_move_by_one_pixel():
    image = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)
    images, labels = shifted(image, np.array([7]))
    assert labels.tolist() == [7] * 5
    np.testing.assert_array_equal(images[0], image[0])
    kept = {tuple(np.argwhere(copy[0] == 27)[0]) for copy in images}
    assert kept == {(3, 3), (2, 3), (4, 3), (3, 2), (3, 4)}
    assert all((copy == 0).sum() >= 8 for copy in images[1:])


def weights(module):
    return torch.cat([tensor.double().ravel() for tensor in module.state_dict().values()])


def learn(seed=0, **options):
    part, module = data(0), network(seed=3)
    losses = train(
        module, part.train_images[:200], part.train_labels[:200], epochs=2, rate=0.01, seed=seed, **options
    )
    return module, losses


def test_the_same_training_gives_the_same_weights_whatever_torch_is_set_to():
    first, losses = learn()
    threads = torch.get_num_threads()
    torch.manual_seed(99)
    torch.set_num_threads(2)
    try:
        second, again = learn()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(weights(first), weights(second))
    assert losses == again
    assert losses[1] < losses[0]
    assert not torch.equal(weights(first), weights(learn(seed=1)[0]))


def test_training_leaves_torch_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    module, _ = learn()
    assert torch.equal(torch.rand(3), expected)
    assert not module.training


def test_interrupted_training_leaves_torch_as_it_was():
    def stop(step: int) -> None:
        raise KeyboardInterrupt

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            learn(after_step=stop)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_hooks_are_called_and_the_extra_loss_counts():
    steps, epochs, shapes = [], [], []

    def extra(images: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        shapes.append((tuple(images.shape), tuple(logits.shape)))
        return 100 * logits.square().mean()

    plain, _ = learn()
    module, losses = learn(extra_loss=extra, after_step=steps.append, after_epoch=epochs.append)
    assert steps == list(range(1, 9))  # 200 images in batches of 64, twice
    assert epochs == [1, 2]
    assert shapes[:4] == [((64, 1, 8, 8), (64, 10))] * 3 + [((8, 1, 8, 8), (8, 10))]
    images = torch.tensor(data(0).test_images)
    with torch.inference_mode():
        assert module(images).abs().mean() < plain(images).abs().mean()
    assert losses[0] > 0


def test_every_epoch_trains_whatever_mode_the_module_was_left_in():
    part, module, modes = data(0), network(seed=3).eval(), []
    train(
        module,
        part.train_images[:64],
        part.train_labels[:64],
        epochs=2,
        rate=0.01,
        after_step=lambda step: modes.append(module.training),
        after_epoch=lambda epoch: modes.append(module.training),
    )
    assert modes == [True, False, True, False]


def test_evaluating_after_an_epoch_does_not_change_the_training():
    part, module = data(0), network(seed=3)
    images, labels = part.train_images[:200], part.train_labels[:200]
    train(
        module,
        images,
        labels,
        epochs=2,
        rate=0.01,
        after_epoch=lambda epoch: module(torch.tensor(part.test_images)),
    )
    assert torch.equal(weights(module), weights(learn()[0]))


def test_untrained_weights_depend_on_the_seed_only():
    torch.manual_seed(1)
    first = weights(network(seed=2))
    torch.manual_seed(7)
    assert torch.equal(first, weights(network(seed=2)))
    assert not torch.equal(first, weights(network(seed=3)))


def test_the_trained_network_reads_digits_in_every_format(trained):
    ir, onnx = compiled(trained.ir), compiled(trained.onnx)
    assert ir.input(0).shape == openvino.Shape([1, 1, 8, 8])
    right = correct(ir, 0)
    assert right.shape == data(0).test_labels.shape
    assert right.mean() > 0.96
    np.testing.assert_array_equal(correct(onnx, 0), right)


def test_any_batch_gives_the_same_answers(trained):
    expected = correct(compiled(trained.ir), 0)
    for shape in ([7, 1, 8, 8], [-1, 1, 8, 8], [512, 1, 8, 8]):
        np.testing.assert_array_equal(correct(compiled(trained.ir, shape), 0), expected)


def test_answers_are_held_against_the_digits(trained):
    """A network that has learned other labels is wrong about nearly all."""

    class Rotated(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = build()

        def forward(self, x):
            return self.inner(x).roll(1, dims=1)

    right, wrong = correct(converted(build()), 0), correct(converted(Rotated()), 0)
    assert not (right & wrong).any()
    assert wrong.mean() < 0.02


def test_other_models_are_refused(ir):
    with pytest.raises(InputError, match="no images of 1 x 8 x 8"):
        correct(compiled(ir), 0)


def test_logits_that_are_not_finite_are_refused():
    module = build()
    with torch.no_grad():
        module.classifier.bias[3] = float("nan")
    with pytest.raises(OutputError, match="not finite"):
        correct(converted(module), 0)


def test_onnx_is_of_an_opset_that_pot_reads(trained):
    import onnx

    model = onnx.load(trained.onnx)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    shape = model.graph.input[0].type.tensor_type.shape
    assert [dimension.dim_value for dimension in shape.dim] == [1, 1, 8, 8]
    assert len(model.graph.input) == 1
