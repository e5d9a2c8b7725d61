"""Folders of pictures as people have them: understood, or refused with what to do."""

import numpy as np
import pytest

from optguide.errors import InputError
from optguide.optimize.data.images import labelled_pictures

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    """Make a folder from paths; a path that ends in a slash is an empty folder."""

    def make(*paths, **texts):
        for path in paths:
            file = tmp_path / path
            if path.endswith("/"):
                file.mkdir(parents=True)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".png":
                Image.fromarray(np.zeros((2, 2), np.uint8)).save(file)
            else:
                file.write_text("")
        for name, text in texts.items():
            (tmp_path / f"{name}.txt").write_text(text)
        return tmp_path

    return make


def by_name(pictures):
    return dict(zip(pictures.names, pictures.labels, strict=True))


class TestClasses:
    def test_are_folders(self, folder):
        pictures = labelled_pictures(folder("b/1.png", "a/10.png", "a/2.png", "C/x.png"))
        assert by_name(pictures) == {"C/x.png": "C", "a/2.png": "a", "a/10.png": "a", "b/1.png": "b"}
        assert pictures.classes == ("C", "a", "b"), "as torchvision and Keras sort them"
        assert pictures.notes == ("Classes are in the alphabetical order of their folders.",)

    def test_may_have_folders_below(self, folder):
        pictures = labelled_pictures(folder("cat/new/1.png", "cat/2.png", "dog/old/deep/1.png"))
        assert sorted(pictures.labels) == ["cat", "cat", "dog"]

    def test_without_pictures_count(self, folder):
        assert labelled_pictures(folder("a/1.png", "b/", "c/1.png")).classes == ("a", "b", "c")

    def test_may_be_links(self, folder):
        root = folder("elsewhere/1.png", "elsewhere/deep/2.png", "set/b/3.png")
        (root / "set/a").symlink_to(root / "elsewhere")
        (root / "set/b/all").symlink_to(root / "set")
        pictures = labelled_pictures(root / "set")
        assert by_name(pictures) == {"a/1.png": "a", "a/deep/2.png": "a", "b/3.png": "b"}

    def test_may_be_links_to_each_other(self, folder):
        root = folder("a/1.png", "b/2.png")
        (root / "a/x").symlink_to(root / "b")
        (root / "b/y").symlink_to(root / "a")
        pictures = labelled_pictures(root)
        assert by_name(pictures) == {"a/1.png": "a", "a/x/2.png": "a", "b/2.png": "b", "b/y/1.png": "b"}

    def test_have_pictures_of_every_kind(self, folder):
        """A sample that cannot be read is refused later on: left out, it would be missed by nobody."""
        paths = ("a/1.png", "a/2.ppm", "a/3.HEIC", "b/4.jfif", "b/5.pgm", "b/notes.txt", "b/Thumbs.db")
        assert labelled_pictures(folder(*paths)).labels == ["a", "a", "a", "b", "b"]

    @pytest.mark.parametrize(
        "stray",
        [".DS_Store", "a/.hidden.png", ".ipynb_checkpoints/1.png", "a/.thumbs/1.png", "__MACOSX/a/._1.png"],
    )
    def test_are_not_what_is_hidden(self, folder, stray):
        pictures = labelled_pictures(folder("a/1.png", "b/1.png", stray))
        assert by_name(pictures) == {"a/1.png": "a", "b/1.png": "b"}
        assert pictures.classes == ("a", "b")

    def test_lie_in_a_folder_as_archives_unpack(self, folder):
        pictures = labelled_pictures(folder("flowers/data/a/1.png", "flowers/data/b/1.png", "README.md"))
        assert by_name(pictures) == {"a/1.png": "a", "b/1.png": "b"}

    def test_follow_a_list(self, folder):
        pictures = labelled_pictures(folder("a/1.png", "b/1.png", classes="b\n\nz\na\n"))
        assert pictures.classes == ("b", "z", "a")

    @pytest.mark.parametrize("text", ["b\na\n", "0 b\n1 a\n", "0: b\n1: a\n", "0,b\n1,a"])
    def test_follow_labels_txt_that_names_no_file(self, folder, text):
        assert labelled_pictures(folder("a/1.png", "b/1.png", labels=text)).classes == ("b", "a")

    def test_listed_twice_are_refused(self, folder):
        with pytest.raises(InputError, match="names the class 'a' twice"):
            labelled_pictures(folder("a/1.png", "b/1.png", classes="a\nb\na\n"))


class TestNumbers:
    def test_are_indexes(self, folder):
        pictures = labelled_pictures(folder("0/1.png", "1/1.png"))
        assert (pictures.classes, pictures.notes) == ((), ())

    def test_in_another_order_as_texts_are_told(self, folder):
        pictures = labelled_pictures(folder(*(f"{number}/1.png" for number in range(12))))
        assert pictures.labels == [str(number) for number in range(12)]
        assert "11 is class 11" in pictures.notes[0]
        assert "classes.txt" in pictures.notes[0]

    def test_follow_a_list(self, folder):
        names = sorted(map(str, range(12)))
        pictures = labelled_pictures(folder(*(f"{name}/1.png" for name in names), classes="\n".join(names)))
        assert pictures.classes == tuple(names)


class TestParts:
    def test_are_no_classes(self, folder):
        paths = [f"{part}/{name}/1.png" for part in ("train", "val", "test") for name in ("cat", "dog")]
        pictures = labelled_pictures(folder(*paths))
        assert by_name(pictures) == {"cat/1.png": "cat", "dog/1.png": "dog"}
        assert pictures.root.name == "val"
        assert pictures.notes[0] == "Samples are those in val; test, train was left out."

    @pytest.mark.parametrize("parts", [("training", "validation"), ("Train", "Test"), ("train", "dev")])
    def test_have_many_names(self, folder, parts):
        pictures = labelled_pictures(folder(*(f"{part}/{name}/1.png" for part in parts for name in "ab")))
        assert pictures.root.name == parts[1]
        assert pictures.classes == ("a", "b")

    def test_that_lack_a_class_keep_the_order_of_all(self, folder):
        pictures = labelled_pictures(folder("train/a/1.png", "train/b/1.png", "train/c/1.png", "val/c/1.png"))
        assert (pictures.labels, pictures.classes) == (["c"], ("a", "b", "c"))

    def test_may_lie_deeper(self, folder):
        pictures = labelled_pictures(folder("set/train/a/1.png", "set/val/a/1.png", "set/val/b/1.png"))
        assert pictures.labels == ["a", "b"]

    def test_take_the_list_of_classes_above(self, folder):
        paths = ("train/a/1.png", "val/a/1.png", "val/b/1.png")
        assert labelled_pictures(folder(*paths, classes="b\na\n")).classes == ("b", "a")

    def test_are_classes_where_there_is_one(self, folder):
        assert labelled_pictures(folder("car/1.png", "train/1.png")).labels == ["car", "train"]

    def test_beside_other_folders_are_refused(self, folder):
        with pytest.raises(InputError, match="train, which are parts of a data set, and masks") as refused:
            labelled_pictures(folder("train/a/1.png", "val/a/1.png", "masks/1.png"))
        assert "--data" in refused.value.remedy


class TestWithoutLabels:
    @pytest.mark.parametrize("paths", [("1.png", "2.png"), ("images/1.png", "images/2.png")])
    def test_it_is_said(self, folder, paths):
        pictures = labelled_pictures(folder(*paths))
        assert pictures.labels is None
        assert "have no labels" in pictures.notes[0]

    def test_a_single_folder_is_a_class_where_it_is_listed(self, folder):
        assert labelled_pictures(folder("cat/1.png", classes="dog\ncat\n")).labels == ["cat"]


def test_a_stray_picture_is_named(folder):
    with pytest.raises(
        InputError, match=r"contact_sheet\.png beside folders with pictures \(a, b\)"
    ) as refused:
        labelled_pictures(folder("a/1.png", "b/1.png", "contact_sheet.png"))
    assert "Move" in refused.value.remedy


def test_a_list_labels_pictures_wherever_they_lie(folder):
    root = folder("images/a/1.png", "images/2.png", "3.png")
    (root / "labels.csv").write_text("image,target\n1.png,5\n2.png,6\n3.png,7\n")
    assert by_name(labelled_pictures(root)) == {"3.png": "7", "images/2.png": "6", "images/a/1.png": "5"}
