from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from optguide.errors import InputError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import read_data
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

Image = pytest.importorskip("PIL.Image")

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
COLOUR = (200, 100, 50)


def read(folder, shape=(1, 3, 8, 8), *, seconds=0.0, dtype="float32", layout="", classes=3):
    port = Port("image", dtype, shape, layout)
    subject = SourceModel("m", "ONNX", Path("f32.xml"), (port,), (Port("y", "float32", (1, classes)),))
    return read_data(Settings("m.onnx", data=str(folder)), subject, seconds)


def save(path, size=(8, 8), colour=COLOUR, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def left_and_right(path, size):
    """Red in the left half, blue in the right one, and green in the outer third of both."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2, 0] = pixels[:, size[0] // 2 :, 2] = 255
    pixels[:, : size[0] // 6, 1] = pixels[:, -(size[0] // 6) :, 1] = 255
    Image.fromarray(pixels).save(path)


def test_pixels_are_scaled_and_normalised_as_for_imagenet(tmp_path):
    save(tmp_path / "a.png")
    sample = read(tmp_path).samples[0]["image"]
    assert (sample.shape, sample.dtype) == ((1, 3, 8, 8), np.float32)
    expected = (np.array(COLOUR) / 255 - MEAN) / STD
    np.testing.assert_allclose(sample[0, :, 4, 4], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "layout", "corner"),
    [
        ((1, 3, 8, 8), "", np.s_[0, :, 0, 0]),
        ((1, 8, 8, 3), "", np.s_[0, 0, 0, :]),
        ((None, None, 8, 8), "NCHW", np.s_[0, :, 0, 0]),
        ((1, 3, 8, 3), "NHWC", np.s_[0, 0, 0, :]),
    ],
)
def test_both_layouts(tmp_path, shape, layout, corner):
    save(tmp_path / "a.png", size=(8, 3) if layout == "NHWC" else (8, 8))
    sample = read(tmp_path, shape, layout=layout).samples[0]["image"]
    np.testing.assert_allclose(sample[corner], (np.array(COLOUR) / 255 - MEAN) / STD, rtol=1e-5)


def test_the_middle_is_cropped_and_proportions_are_kept(tmp_path):
    left_and_right(tmp_path / "wide.png", (64, 16))
    sample = read(tmp_path).samples[0]["image"]
    red, green, _ = sample[0] * STD[:, None, None] + MEAN[:, None, None]
    assert green.max() < 0.01, "the outer parts are cropped"
    assert red[:, 0].min() > 0.9
    assert red[:, 7].max() < 0.1
    (tmp_path / "preprocess.json").write_text('{"fit": "stretch"}')
    stretched = read(tmp_path).samples[0]["image"]
    np.testing.assert_allclose(stretched[0, 0, :, 0], 1, atol=0.01)


@pytest.mark.parametrize("turned", [False, True])
def test_the_shorter_side_is_whole(tmp_path, turned):
    """A wide picture with a white stripe along its upper edge, or a tall one along its left edge."""
    pixels = np.zeros((16, 64, 3), np.uint8)
    pixels[:4] = 255
    Image.fromarray(pixels.transpose(1, 0, 2) if turned else pixels).save(tmp_path / "a.png")
    sample = read(tmp_path).samples[0]["image"][0] * STD[:, None, None] + MEAN[:, None, None]
    rows = sample.transpose(0, 2, 1) if turned else sample
    assert rows[:, 0].min() > 0.9
    assert rows[:, 4:].max() < 0.1


def test_a_picture_of_the_right_size_stays_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sample = read(tmp_path, dtype="uint8").samples[0]["image"]
    np.testing.assert_array_equal(sample[0], pixels.transpose(2, 0, 1))


def test_preprocessing_of_ones_own(tmp_path):
    save(tmp_path / "a.png")
    how = {"mean": [10, 20, 30], "std": 2, "scale": 1, "order": "bgr"}
    (tmp_path / "preprocess.json").write_text(json.dumps(how))
    sample = read(tmp_path).samples[0]["image"]
    np.testing.assert_allclose(sample[0, :, 0, 0], [(50 - 10) / 2, (100 - 20) / 2, (200 - 30) / 2])


def test_grey_models_take_grey_pictures(tmp_path):
    save(tmp_path / "a.png", colour=(100, 100, 100))
    sample = read(tmp_path, (1, 1, 8, 8)).samples[0]["image"]
    np.testing.assert_allclose(sample, 100 / 255, rtol=1e-5)


def test_pictures_with_a_palette_transparency_or_grey_become_rgb(tmp_path):
    save(tmp_path / "a.png", mode="L", colour=10)
    save(tmp_path / "b.png", mode="RGBA", colour=(*COLOUR, 7))
    save(tmp_path / "c.gif", mode="P", colour=3)
    assert [sample["image"].shape for sample in read(tmp_path).samples] == [(1, 3, 8, 8)] * 3


RAMP = np.linspace(0, 1, 64).reshape(8, 8)


@pytest.mark.parametrize("mode", [1, 3])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("a.png", (RAMP * 255).round().astype(np.uint8)),
        ("a.png", (RAMP * 65535).round().astype(np.uint16)),
        ("a.tiff", (RAMP * 65535).round().astype(np.uint16)),
        ("a.tiff", RAMP.astype(np.float32)),
        ("a.png", np.uint8(255 * RAMP)[..., None].repeat(2, 2)),  # grey with transparency
        ("a.webp", np.uint8(255 * RAMP)[..., None].repeat(4, 2)),
        ("a.png", RAMP > 0.5),
    ],
)
def test_every_depth_has_the_same_white(tmp_path, name, values, mode):
    Image.fromarray(values).save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    (tmp_path / "preprocess.json").write_text("{}")
    sample = read(tmp_path, (1, mode, 8, 8)).samples[0]["image"]
    expected = RAMP > 0.5 if values.dtype == bool else RAMP
    visible = expected if values.shape[2:] != (4,) else np.where(RAMP == 0, sample[0, 0], RAMP)
    for channel in sample[0]:
        np.testing.assert_allclose(channel, visible, atol=1.5 / 255)


@pytest.mark.parametrize(
    "values", [1000 * RAMP.astype(np.float32), RAMP.astype(np.float32) - 1, (RAMP * 1e9).astype(np.int32)]
)
def test_a_picture_that_does_not_say_what_is_white_is_refused_by_name(tmp_path, values):
    (tmp_path / "x").mkdir()
    Image.fromarray(values).save(tmp_path / "x" / "a.tiff")
    with pytest.raises(InputError, match=r"Sample 0 \(x/a\.tiff\).*nothing says which") as refused:
        read(tmp_path)
    assert "from 0 to 1" in refused.value.remedy


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pictures_of_phones_are_turned_upright(tmp_path, orientation, depth):
    scale = np.iinfo(depth).max
    upright = Image.fromarray((RAMP * scale).round().astype(depth))
    turns = [None, "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"]
    turns += ["TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270"]  # what undoes each orientation
    turn = turns[orientation - 1]
    tag = Image.Exif()
    tag[0x0112] = orientation
    stored = upright.transpose(Image.Transpose[turn]) if turn else upright
    stored.save(tmp_path / "a.png", exif=tag)
    sample = read(tmp_path, (1, 1, 8, 8)).samples[0]["image"]
    np.testing.assert_allclose(sample[0, 0], RAMP, atol=1.5 / 255)


def test_the_first_frame_of_several_counts(tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (200, 0, 0)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    sample = read(tmp_path, (1, 1, 8, 8)).samples[0]["image"]
    np.testing.assert_allclose(sample, 200 / 255, atol=0.01)


def test_how_pictures_are_prepared_is_said(tmp_path):
    save(tmp_path / "a.png")
    (note,) = (note for note in read(tmp_path).notes if "ImageNet" in note)
    assert "0.485" in note
    (tmp_path / "preprocess.json").write_text('{"order": "bgr", "fit": "stretch"}')
    assert any("BGR" in note and "cropped" not in note for note in read(tmp_path).notes)


def test_folders_are_classes(tmp_path):
    for name in ("dog/1.png", "dog/2.png", "cat/9.png", "emu/1.jpg"):
        save(tmp_path / name)
    assert read(tmp_path).labels.tolist() == [0, 1, 1, 2]
    with pytest.raises(InputError, match="The labels name 3 classes, and the model has 1000") as refused:
        read(tmp_path, classes=1000)
    assert "classes.txt" in refused.value.remedy


def test_folders_called_by_numbers_are_those_classes(tmp_path):
    for name in ("7/a.png", "10/a.png"):
        save(tmp_path / name)
    assert read(tmp_path, classes=1000).labels.tolist() == [7, 10]


def test_a_list_of_labels(tmp_path):
    for name in ("sub/a.png", "b.png"):
        save(tmp_path / name)
    (tmp_path / "b.png").rename(tmp_path / "sub" / "b.png")
    (tmp_path / "labels.txt").write_text("sub/b.png 2\n./sub/a.png 1\n")
    assert read(tmp_path).labels.tolist() == [1, 2]


def test_pictures_without_labels_have_none(tmp_path):
    save(tmp_path / "a.png")
    assert read(tmp_path).labels is None


def test_a_picture_that_does_not_open_is_named(tmp_path):
    for number in range(9):
        save(tmp_path / f"a{number}.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"Sample 9 \(b\.jpg\) cannot be read: UnidentifiedImageError"):
        read(tmp_path, seconds=60)


def test_a_picture_that_is_cut_off_is_named_when_it_is_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.png")
    for number in range(9):
        save(tmp_path / f"a{number}.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    (tmp_path / "whole.png").unlink()
    data = read(tmp_path)
    with pytest.raises(InputError, match=r"Sample 9 \(b\.png\)"):
        data.samples[9]


@pytest.mark.parametrize("shape", [(1, 3), (4, 3, 8, 8), (1, 8, 8, 8), (1, 3, 8, 8, 8)])
def test_inputs_that_are_no_pictures(tmp_path, shape):
    save(tmp_path / "a.png")
    with pytest.raises(InputError, match="no batch of one picture") as refused:
        read(tmp_path, shape)
    assert "--shape" in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "is not understood"),
        ('{"mena": 1}', "unknown field `mena`"),
        ('{"mean": "x"}', "is not understood"),
        ('{"mean": [1, 2]}', r"mean \(1.0, 2.0\) in preprocess.json does not fit 3"),
        ('{"std": 0}', "does not fit"),
        ('{"std": [1, 0, 1]}', "does not fit"),
        ('{"order": "grb"}', "is not understood"),
    ],
)
def test_preprocessing_that_makes_no_sense(tmp_path, text, cause):
    save(tmp_path / "a.png")
    (tmp_path / "preprocess.json").write_text(text)
    with pytest.raises(InputError, match=cause):
        read(tmp_path)


def test_integers_are_not_scaled(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "preprocess.json").write_text('{"mean": 3}')
    with pytest.raises(InputError, match="pixels go in as they are"):
        read(tmp_path, dtype="uint8")


def test_models_with_several_inputs_take_no_pictures(tmp_path):
    save(tmp_path / "a.png")
    ports = (Port("a", "float32", (1, 3, 8, 8)), Port("b", "float32", (1, 3, 8, 8)))
    subject = SourceModel("m", "ONNX", Path("f32.xml"), ports, (Port("y", "float32", (1, 3)),))
    with pytest.raises(InputError, match="this one has 2: a, b"):
        read_data(Settings("m.onnx", data=str(tmp_path)), subject)
