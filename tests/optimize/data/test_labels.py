"""Labels in the forms that people have, read in the model's sense or refused."""

from pathlib import Path

import numpy as np
import pytest

from optguide.errors import InputError, OptionError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import read_data
from optguide.optimize.evaluation.metrics import resolve
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

COUNT, CLASSES = 12, 10
INDEXES = np.array([3, 0, 9, 1, 5, 7, 2, 2, 8, 4, 6, 0])
EYE = np.eye(CLASSES)


def number(ops, x):
    return ops.matmul(x, np.ones((4, 1), np.float32), False, False)


SCORES = Port("scores", "float32", (1, CLASSES))


def model(*outputs):
    return SourceModel("m", "ONNX", Path("f32.xml"), (Port("x", "float32", (1, 4)),), outputs or (SCORES,))


def read(data, *outputs, metric=None):
    return read_data(Settings("m.onnx", data=str(data), metric=metric), model(*outputs))


@pytest.fixture
def labelled(tmp_path):
    """Write samples with labels beside each other; the file."""

    def write(labels, **others):
        rows = np.random.default_rng(0).standard_normal((len(labels), 4), dtype=np.float32)
        np.savez(tmp_path / "d.npz", x=rows, labels=labels, **others)
        return tmp_path / "d.npz"

    return write


@pytest.fixture
def listed(tmp_path):
    """Write samples as files, and their labels into a text file; the folder."""

    def write(text, name="labels.csv", *, encoding="utf-8", files="img_{}.npy"):
        for index in range(COUNT):
            path = tmp_path / files.format(index)
            path.parent.mkdir(exist_ok=True, parents=True)
            np.save(path, np.full(4, index, np.float32))
        (tmp_path / name).write_text(text, encoding=encoding)
        return tmp_path

    return write


def lines(form, head=""):
    return head + "".join(form.format(index, label) + "\n" for index, label in enumerate(INDEXES))


SOFT = 0.9 * EYE[INDEXES] + 0.01


@pytest.mark.parametrize(
    "labels",
    [
        INDEXES,
        INDEXES[:, None],
        INDEXES.astype(np.uint8),
        INDEXES.astype(np.float32),
        INDEXES.astype(np.float16)[:, None],
        EYE[INDEXES].astype(np.float32),
        EYE[INDEXES].astype(np.int64),
        EYE[INDEXES].astype(np.bool_),
        EYE[INDEXES][:, None, :],
        SOFT,
        np.array([str(index) for index in INDEXES]),
        np.array([f"{index}.0" for index in INDEXES]),
        np.array([str(index).encode() for index in INDEXES]),
    ],
)
def test_indexes_of_classes_in_any_type(labelled, labels):
    data = read(labelled(labels))
    assert data.labels.tolist() == INDEXES.tolist()
    assert resolve(Settings("m.onnx"), data, model()).name == "top-1"


@pytest.mark.parametrize(
    ("labels", "cause"),
    [
        (INDEXES + 1, "label of sample 2 is 10, and the model has 10 classes. Labels seem to count from one"),
        (np.where(INDEXES == 7, -1, INDEXES), "label of sample 5 is -1"),
        (np.where(INDEXES == 7, 255.0, INDEXES), "label of sample 5 is 255"),
        (np.where(INDEXES == 7, np.nan, INDEXES), "labels holds NaN"),
        (EYE[INDEXES] + EYE[(INDEXES + 1) % 10], "name several classes, or none"),
        (np.zeros((COUNT, CLASSES), int), "name several classes, or none"),
        (np.array(["cat", "dog", "", "cat"] * 3), "Sample 2 has no label"),
        (np.array(["cat", "dog"] * 6), "name 2 classes, and the model has 10"),
    ],
)
def test_labels_that_are_no_classes_of_the_model(labelled, labels, cause):
    with pytest.raises(InputError, match=cause) as refused:
        read(labelled(labels))
    assert refused.value.remedy


def test_a_label_for_every_input_of_a_batch(labelled):
    pairs = np.array([[0, 1], [1, 0], [1, 1]])
    subject = SourceModel(
        "m", "ONNX", Path("f32.xml"), (Port("x", "float32", (2, 4)),), (Port("y", "float32", (2, 2)),)
    )
    rows = np.zeros((3, 2, 4), np.float32)
    path = labelled(INDEXES)
    np.savez(path, x=rows, labels=pairs)
    data = read_data(Settings("m.onnx", data=str(path)), subject)
    assert data.labels.tolist() == pairs.tolist()


class TestOutputs:
    @pytest.mark.parametrize(
        ("labels", "outputs", "metric"),
        [
            (np.linspace(20, 80, COUNT), (Port("age", "float32", (1, 1)),), "mean error"),
            (np.arange(COUNT) + 20, (Port("age", "float32", (1, 1)),), "mean error"),
            (np.linspace(0, 1, 10 * COUNT).reshape(-1, 10), (SCORES,), "mean error"),
            (INDEXES, (Port("index", "int64", (1,)),), "top-1"),
            (INDEXES, (Port("sex", "float32", (1, 2)), SCORES), "top-1 of scores"),
        ],
    )
    def test_decide_what_labels_mean(self, labelled, labels, outputs, metric):
        data = read(labelled(labels), *outputs)
        assert resolve(Settings("m.onnx"), data, model(*outputs)).name == metric

    def test_zero_and_one_for_a_number_may_be_either(self, labelled, tmp_path, save_ir):
        outputs = (Port("y", "float32", (1, 1)),)
        data = read(labelled(np.arange(COUNT) % 2), *outputs)
        path = save_ir(tmp_path / "value.xml", [1, 4], number)
        subject = SourceModel("m", "ONNX", path, (Port("x", "float32", (1, 4)),), outputs)
        with pytest.raises(OptionError, match="does not end in a sigmoid"):
            resolve(Settings("m.onnx"), data, subject)
        assert resolve(Settings("m.onnx", metric="mean-error"), data, subject).name == "mean error"

    def test_a_sigmoid_tells_two_classes(self, labelled, tmp_path, save_ir):
        data = read(labelled(np.arange(COUNT) % 2), Port("y", "float32", (1, 1)))
        path = save_ir(tmp_path / "binary.xml", [1, 4], lambda ops, x: ops.sigmoid(number(ops, x)))
        subject = SourceModel("m", "ONNX", path, model().ports, (Port("y", "float32", (1, 1)),))
        assert resolve(Settings("m.onnx"), data, subject).name == "top-1"

    def test_texts_are_no_numbers_where_no_output_tells_classes(self, labelled):
        file = labelled(np.array(["stop", "go"] * 6))
        sequence = Port("logits", "float32", (1, 40, 97))
        with pytest.raises(InputError, match="no output of the model tells classes") as refused:
            read(file, sequence)
        assert "--metric" in refused.value.remedy


class TestReadersMetric:
    """It gets labels as they are."""

    @pytest.fixture(autouse=True)
    def metric(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)

    def labels(self, data):
        return read(data, Port("logits", "float32", (1, 40, 97)), metric="module:metric").labels

    @pytest.mark.parametrize(
        "labels", [np.array(["hello world", "2024"]), np.array(["007", "12"]), EYE[:3], np.arange(3) + 0.5]
    )
    def test_of_an_archive(self, labelled, labels):
        np.testing.assert_array_equal(self.labels(labelled(labels)), labels)

    def test_of_a_list(self, listed):
        assert self.labels(listed(lines("img_{}.npy\ttext {}"), "labels.txt"))[1] == "text 0"

    def test_numbers_of_a_list_are_numbers(self, listed):
        assert self.labels(listed(lines("img_{}.npy,{}"))).tolist() == INDEXES.tolist()

    def test_of_different_lengths(self, tmp_path):
        (tmp_path / "ragged_labels.py").write_text(
            "import numpy as np\n"
            "def samples():\n"
            "    return [np.ones((1, 4), 'f')] * 3, [np.ones((n, 4)) for n in (1, 0, 2)]\n"
        )
        boxes = self.labels("ragged_labels:samples")
        assert [len(box) for box in boxes] == [1, 0, 2]
        with pytest.raises(InputError, match="differ in length") as refused:
            read("ragged_labels:samples")
        assert "--metric" in refused.value.remedy

    def test_names_of_listed_classes_are_their_indexes(self, labelled, tmp_path):
        (tmp_path / "classes.txt").write_text("dog\ncat\n")
        assert self.labels(labelled(np.array(["cat", "dog", "cat"]))).tolist() == [1, 0, 1]


QUOTED = "".join(f'"img_{index}.npy","{label}"\n' for index, label in enumerate(INDEXES))


class TestLists:
    @pytest.mark.parametrize(
        "text",
        [
            lines("img_{}.npy,{}"),
            lines("img_{}.npy,{}", "file,label\n"),
            lines("img_{}.npy;{}", "filename;label\n"),
            lines("img_{}.npy,{}", "Image,Target\n"),
            lines("img_{}.npy,{}", "Bild,Klasse\n"),
            lines("img_{},{}", "id,label\n"),
            lines("{0},img_{0}.npy,{1}", ",file,label\n"),
            lines("{0},img_{0}.npy,{1}", "Unnamed: 0,path,class\n"),
            lines("{1},img_{0}.npy", "label,file\n"),
            lines("train,img_{}.npy,{},x", "split,file,label,comment\n"),
            '"file","label"\n' + QUOTED,
            lines("img_{}.npy,{}.0", "file,label\n"),
            lines("img_{}.npy\t{}", "file\tlabel\n"),
            lines("img_{}.npy {}"),
            lines("img_{}.npy   {}\n"),
            lines("./img_{}.npy,{}"),
            lines("C:\\data\\images\\img_{}.npy,{}", "path,label\n"),
            lines("/home/me/set/img_{}.npy,{}"),
            lines("IMG_{}.NPY,{}"),
            lines("img_{}.npy,{}").replace("\n", "\r\n"),
        ],
    )
    def test_columns_are_recognised(self, listed, text):
        assert read(listed(text)).labels.tolist() == INDEXES.tolist()

    @pytest.mark.parametrize(
        "row", ["{row},{file}.npy,{label}", "{row},{file},{label}", "{label},{file}", "{label},{file}.npy"]
    )
    def test_numbers_of_rows_and_labels_are_no_names_of_files(self, listed, row):
        """Files are called by numbers, and the rows are in another order."""
        rows = (row.format(row=k, file=COUNT - 1 - k, label=INDEXES[COUNT - 1 - k]) for k in range(COUNT))
        heads = {3: ",file,label", 2: "label,file"}
        folder = listed("\n".join([heads[row.count(",") + 1], *rows]), files="{}.npy")
        assert read(folder).labels.tolist() == INDEXES.tolist()

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_encodings_of_spreadsheets(self, listed, encoding):
        folder = listed(lines("img_{}.npy,{}", "file,label\n"), encoding=encoding)
        assert read(folder).labels.tolist() == INDEXES.tolist()

    def test_names_with_spaces(self, listed):
        folder = listed(lines("img {}.npy {}"), "labels.txt", files="img {}.npy")
        assert read(folder).labels.tolist() == INDEXES.tolist()

    def test_names_of_classes(self, listed):
        folder = listed(lines("img_{}.npy,class {}, or so").replace("class", '"class').replace("so", 'so"'))
        (folder / "classes.txt").write_text("".join(f"{k}: class {k}, or so\n" for k in range(10)))
        assert read(folder).labels.tolist() == INDEXES.tolist()

    def test_indexes_beside_names_of_classes(self, listed):
        folder = listed(lines("img_{}.npy,{}"))
        (folder / "classes.txt").write_text("".join(f"class{k}\n" for k in reversed(range(10))))
        assert read(folder).labels.tolist() == INDEXES.tolist()

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ("", "Line 1 of labels.csv is not of the form file,label"),
            ("file,label\n", "has a label for file|no label"),
            (lines("img_{}.npy,{}").replace("img_3.npy,1\n", ""), "no label for img_3.npy"),
            (lines("img_{}.npy,{}").replace("img_3.npy,1", "img_3.npy,"), "Line 4 of labels.csv"),
            (lines("img_{}.npy,{}") + "gone.npy,3\n", "a label for gone.npy, which is not in"),
            ("gone.npy,3\n" + lines("img_{}.npy,{}"), "a label for gone.npy, which is not in"),
            ("gone,3\n" + lines("img_{},{}"), "a label for gone, which is not in"),
            (lines("img_{}.npy,{}") + "IMG_3.npy,1\n", "names IMG_3.npy twice"),
            (lines("img_{},{},0,1", "file,dog,cat,emu\n"), "has the columns file, dog, cat, emu"),
            (lines("img_{}.npy,{}").encode().hex(), "labels.csv"),
        ],
    )
    def test_what_covers_samples_in_part_or_in_two_ways(self, listed, text, cause):
        with pytest.raises(InputError, match=cause) as refused:
            read(listed(text))
        assert refused.value.remedy

    def test_other_encodings_are_refused(self, listed):
        with pytest.raises(InputError, match=r"labels\.csv cannot be read.*UTF-8"):
            read(listed("file,label\nimg_0.npy,Käfer\n", encoding="latin-1"))
