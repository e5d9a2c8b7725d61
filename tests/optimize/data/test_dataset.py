from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from optguide.errors import InputError, StorageError, UserError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import read_data, write_inputs
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

VECTOR = Port("x", "float32", (None, 4))


def subject(*ports, **facts):
    ports = ports or (VECTOR,)
    outputs = (Port("y", "float32", (ports[0].shape[0], 3)),)
    return SourceModel("m", "ONNX", Path("f32.xml"), ports, outputs, **facts)


def rows(count=10, width=4):
    return np.random.default_rng(1).standard_normal((count, width), dtype=np.float32)


def read(data, *ports, seed=0, **facts):
    return read_data(
        Settings("m.onnx", data=None if data is None else str(data), seed=seed), subject(*ports, **facts)
    )


@pytest.fixture
def function(tmp_path, monkeypatch, request):
    """Write a module of the current folder with a function ``samples``; its reference."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(body):
        name = f"data_{abs(hash(request.node.name))}"
        (tmp_path / f"{name}.py").write_text("import numpy as np\nrng = np.random.default_rng(0)\n" + body)
        return f"{name}:samples"

    return write


class TestRandom:
    def test_eight_samples_that_judge_nothing(self):
        data = read(None, VECTOR, Port("ids", "int64", (2, 3)))
        assert data.random
        assert data.labels is None
        assert data.evaluation == ()
        assert data.calibration == tuple(range(8))
        assert len(data.samples) == 8
        assert data.samples[0]["x"].shape == (1, 4), "an open batch is one"
        assert data.samples[0]["ids"].shape == (2, 3)
        assert data.samples[0]["ids"].dtype == np.int64
        assert not np.array_equal(data.samples[0]["x"], data.samples[1]["x"])
        again = read(None, VECTOR, Port("ids", "int64", (2, 3)))
        np.testing.assert_array_equal(data.samples[5]["x"], again.samples[5]["x"])
        assert not np.array_equal(data.samples[0]["x"], read(None, seed=9).samples[0]["x"])

    def test_open_sizes_are_refused(self):
        with pytest.raises(InputError, match=r"'x' takes float32 \[\?,\?\]"):
            read(None, Port("x", "float32", (None, None)))


class TestArchive:
    def test_a_sample_per_row_and_labels(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=rows(), labels=np.arange(10, dtype=np.int32) % 3)
        data = read(tmp_path / "d.npz")
        assert (len(data.samples), data.random, data.uniform) == (10, False, True)
        np.testing.assert_array_equal(data.samples[3]["x"], rows()[3:4])
        assert data.labels.tolist() == [index % 3 for index in range(10)]
        assert data.labels.dtype == np.int64

    def test_half_calibrates_and_the_rest_judges(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=rows(10))
        data = read(tmp_path / "d.npz")
        assert len(data.calibration) == len(data.evaluation) == 5
        assert set(data.calibration) | set(data.evaluation) == set(range(10))
        assert data.calibration == read(tmp_path / "d.npz").calibration
        assert data.calibration != read(tmp_path / "d.npz", seed=1).calibration
        np.savez(tmp_path / "many.npz", x=rows(1000))
        many = read(tmp_path / "many.npz")
        assert (len(many.calibration), len(many.evaluation)) == (300, 700)
        np.savez(tmp_path / "one.npz", x=rows(1))
        one = read(tmp_path / "one.npz")
        assert (one.calibration, one.evaluation) == ((), (0,))

    def test_numbers_of_the_same_kind_are_converted(self, tmp_path):
        ports = (VECTOR, Port("mask", "int64", (None, 2)))
        np.savez(tmp_path / "d.npz", x=rows().astype(np.float64), mask=np.ones((10, 2), np.bool_))
        sample = read(tmp_path / "d.npz", *ports).samples[0]
        assert [sample[name].dtype.name for name in ("x", "mask")] == ["float32", "int64"]
        assert list(sample) == ["x", "mask"], "in the order of the inputs"

    def test_a_lone_array_is_the_lone_input(self, tmp_path):
        np.savez(tmp_path / "d.npz", rows())
        np.save(tmp_path / "d.npy", rows())
        for name in ("d.npz", "d.npy"):
            assert len(read(tmp_path / name).samples) == 10

    def test_a_lone_array_of_another_name_is_a_mistake(self, tmp_path):
        np.savez(tmp_path / "d.npz", picture=rows())
        with pytest.raises(InputError, match="holds picture, and the model's inputs are x"):
            read(tmp_path / "d.npz")

    def test_other_names_of_an_input_do_too(self, tmp_path):
        np.savez(tmp_path / "d.npz", alias=rows(), z=rows())
        ports = (Port("x", "float32", (None, 4), "", ("alias",)), Port("z", "float32", (None, 4)))
        assert list(read(tmp_path / "d.npz", *ports).samples[0]) == ["x", "z"]

    def test_a_cache_may_begin_empty(self, tmp_path):
        cache = Port("past", "float32", (1, 2, None, 8))
        np.savez(tmp_path / "d.npz", x=rows(), past=np.zeros((10, 2, 0, 8), np.float32))
        assert read(tmp_path / "d.npz", VECTOR, cache).samples[3]["past"].shape == (1, 2, 0, 8)

    def test_an_input_called_labels_is_an_input(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=rows(), labels=rows())
        data = read(tmp_path / "d.npz", VECTOR, Port("labels", "float32", (None, 4)))
        assert data.labels is None
        assert "labels" in data.samples[0]

    def test_whole_batches_are_samples_of_a_model_that_takes_batches(self, tmp_path):
        port = Port("x", "float32", (5, 4))
        np.savez(tmp_path / "d.npz", x=rows(10))
        assert len(read(tmp_path / "d.npz", port).samples) == 2
        np.savez(tmp_path / "e.npz", x=rows(10).reshape(2, 5, 4))
        assert len(read(tmp_path / "e.npz", port).samples) == 2
        np.savez(tmp_path / "f.npz", x=rows(9))
        with pytest.raises(InputError, match="whole batches of 5"):
            read(tmp_path / "f.npz", port)
        np.savez(tmp_path / "g.npz", x=rows(10), labels=np.zeros(10, int))
        with pytest.raises(InputError, match="10 labels and 2 samples of 5 inputs") as refused:
            read(tmp_path / "g.npz", port)
        assert "--shape" in refused.value.remedy

    @pytest.mark.parametrize(
        ("arrays", "cause"),
        [
            ({"y": rows(), "z": rows()}, "d.npz holds y, z, and the model's inputs are x, ids"),
            ({"x": rows()}, "d.npz holds x, and"),
            ({"labels": np.zeros(3)}, "holds no samples"),
            (
                {"x": rows(9), "ids": np.zeros((10, 2), int)},
                "differ in the number of samples: 9 of x, 10 of ids",
            ),
            (
                {"x": rows(10, 5), "ids": np.zeros((10, 2), int)},
                r"Sample 0 has shape \[1, 5\], and input 'x' takes",
            ),
            ({"x": np.zeros((10, 2, 2, 4)), "ids": np.zeros((10, 2), int)}, "has shape"),
            ({"x": rows().astype(int), "ids": np.zeros((10, 2), int)}, "Sample 0 is of type int64"),
            (
                {"x": rows(), "ids": np.zeros((10, 2))},
                "Sample 0 is of type float64, and input 'ids' takes int32",
            ),
            (
                {"x": rows(), "ids": np.full((10, 2), 2**40)},
                "Sample 0 holds 1099511627776, which does not fit",
            ),
            ({"x": np.full((10, 4), 1e300), "ids": np.zeros((10, 2), int)}, "Sample 0 holds infinity"),
            ({"x": np.zeros((0, 4)), "ids": np.zeros((0, 2), int)}, "holds no samples"),
            ({"x": np.array([["a"] * 4]), "ids": np.zeros((1, 2), int)}, "no numbers"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, tmp_path, arrays, cause):
        np.savez(tmp_path / "d.npz", **arrays)
        with pytest.raises(InputError, match=cause) as refused:
            read(tmp_path / "d.npz", VECTOR, Port("ids", "int32", (None, 2)))
        assert refused.value.remedy

    @pytest.mark.parametrize(("value", "cause"), [(np.nan, "NaN"), (np.inf, "infinity")])
    def test_a_sample_with_nan_is_named(self, tmp_path, value, cause):
        values = rows()
        values[7, 2] = value
        np.savez(tmp_path / "d.npz", x=values)
        with pytest.raises(InputError, match=f"Sample 7 holds {cause}"):
            read(tmp_path / "d.npz")

    @pytest.mark.parametrize(
        ("labels", "cause"),
        [
            (np.zeros(9), "9 labels and 10 samples"),
            (np.int64(3), "a single number, 3"),
            (np.full(10, np.nan), "labels holds NaN"),
            (np.zeros(0), "labels is empty"),
            (np.array(["a", "b"] * 5), "The labels name 2 classes, and the model has 3"),
        ],
    )
    def test_labels_that_are_none(self, tmp_path, labels, cause):
        np.savez(tmp_path / "d.npz", x=rows(), labels=labels)
        with pytest.raises(InputError, match=cause):
            read(tmp_path / "d.npz")

    def test_names_are_numbered_in_their_order_or_in_that_of_the_model(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=rows(4), labels=np.array(["dog", "cat", "emu", "cat"]))
        assert read(tmp_path / "d.npz").labels.tolist() == [1, 0, 2, 0]
        (tmp_path / "classes.txt").write_text("emu\ndog\ncat\n")
        assert read(tmp_path / "d.npz").labels.tolist() == [1, 2, 0, 2]
        (tmp_path / "classes.txt").write_text("emu\ndog\nfox\n")
        with pytest.raises(InputError, match="'cat' is none of the 3 names"):
            read(tmp_path / "d.npz")

    def test_nothing_is_unpickled(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object))
        np.save(tmp_path / "d.npy", np.array([{}], dtype=object))
        for name in ("d.npz", "d.npy"):
            with pytest.raises(InputError, match=r"Object arrays|plain"):
                read(tmp_path / name)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"\x93NUMPY\x01"])
    def test_files_that_are_no_arrays(self, tmp_path, content):
        for name in ("d.npz", "d.npy"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(InputError, match=rf"{name} is n"):
                read(tmp_path / name)


class TestFolder:
    def test_a_file_per_input(self, tmp_path):
        np.save(tmp_path / "x.npy", rows())
        np.save(tmp_path / "a_b.npy", rows())
        np.save(tmp_path / "labels.npy", np.arange(10.0) / 4)
        data = read(tmp_path, VECTOR, Port("a/b", "float32", (None, 4)))
        assert len(data.samples) == 10
        assert data.labels.dtype == np.float64
        np.testing.assert_array_equal(data.samples[9]["a/b"], rows()[9:])

    def test_a_file_per_sample_in_the_order_of_numbers(self, tmp_path):
        for index in range(12):
            np.save(tmp_path / f"s{index}.npy", np.full(4, index, np.float32))
        (tmp_path / ".hidden.npy").write_bytes(b"")
        (tmp_path / "labels.csv").write_text(
            "file,label\n" + "".join(f"s{i}.npy,{i % 3}\n" for i in reversed(range(12)))
        )
        data = read(tmp_path)
        assert [int(sample["x"][0, 0]) for sample in data.samples] == list(range(12))
        assert data.labels.tolist() == [0, 1, 2] * 4

    def test_a_packed_file_per_sample_of_any_length(self, tmp_path):
        ports = (Port("ids", "int64", (None, None)), Port("mask", "int64", (None, None)))
        for index in range(1, 5):
            np.savez(tmp_path / f"{index}.npz", ids=np.ones((1, index), int), mask=np.ones((1, index), int))
        data = read(tmp_path, *ports)
        assert not data.uniform
        assert [sample["ids"].shape for sample in data.samples] == [(1, index) for index in range(1, 5)]

    def test_a_bad_sample_is_named_with_its_file(self, tmp_path):
        for index in range(3):
            np.save(tmp_path / f"{index}.npy", np.full(4, np.nan if index == 1 else 1.0))
        with pytest.raises(InputError, match=r"Sample 1 \(1\.npy\) holds NaN"):
            read(tmp_path)

    @pytest.mark.parametrize(
        ("files", "cause"),
        [
            ((), "holds no arrays and no pictures"),
            (("notes.txt",), "holds no arrays and no pictures"),
            (("labels.npy",), "holds no arrays and no pictures"),
            (("a.npy", "a.npz"), "as .npy and as .npz"),
            (("a.npy", "b.npy"), "holds a.npy, b.npy, and the model's inputs are x, z"),
            (("x.npy", "z.npy", "labels.csv"), "a list of file names labels nothing"),
        ],
    )
    def test_folders_that_hold_something_else(self, tmp_path, files, cause):
        for name in files:
            path = tmp_path / name
            if path.suffix == ".npz":
                np.savez(path, x=rows())
            elif path.suffix == ".npy":
                np.save(path, rows())
            else:
                path.write_text("a,1\n")
        with pytest.raises(InputError, match=cause):
            read(tmp_path, VECTOR, Port("z", "float32", (None, 4)))

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ("a.npy,1\n", "no label for b.npy"),
            ("a.npy,1\nb.npy,2\nc.npy,3\n", "a label for c.npy, which is not in"),
            ("a.npy,1\na.npy,2\n", "names a.npy twice"),
            ("a.npy\nb.npy\n", "Line 1 of labels.csv is not of the form"),
            ("a.npy,1\nb.npy,\n", "Line 2 of labels.csv"),
            ("a.npy,1,2\n", "Line 1"),
        ],
    )
    def test_lists_of_labels_that_do_not_cover_the_files(self, tmp_path, text, cause):
        for name in ("a", "b"):
            np.save(tmp_path / f"{name}.npy", np.ones(4))
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(InputError, match=cause):
            read(tmp_path)

    def test_two_lists_of_labels(self, tmp_path):
        for name in ("a", "labels"):
            np.save(tmp_path / f"{name}.npy", np.ones((2, 4)))
        (tmp_path / "labels.txt").write_text("a.npy 1")
        with pytest.raises(InputError, match=r"labels\.npy and labels\.txt|list of file names"):
            read(tmp_path)


class TestFunction:
    @pytest.mark.parametrize(
        "returned",
        [
            "rng.random((6, 4))",
            "{'x': rng.random((6, 4))}",
            "[rng.random((1, 4)) for _ in range(6)]",
            "[rng.random(4) for _ in range(6)]",
            "[(rng.random((1, 4)),) for _ in range(6)]",
            "({'x': rng.random((1, 4))} for _ in range(6))",
            "__import__('torch').rand(6, 4)",
            "[__import__('torch').rand(1, 4)] * 6",
        ],
    )
    def test_samples_in_many_forms(self, function, returned):
        if "torch" in returned:
            pytest.importorskip("torch")
        reference = function(f"def samples():\n    return {returned}, [0, 1, 2, 0, 1, 2]\n")
        data = read(reference)
        assert len(data.samples) == 6
        assert data.samples[5]["x"].shape == (1, 4)
        assert data.samples[5]["x"].dtype == np.float32
        assert data.labels.tolist() == [0, 1, 2, 0, 1, 2]
        assert data.source == reference

    def test_several_inputs(self, function):
        ports = (VECTOR, Port("n", "int64", (None,)))
        reference = function(
            "def samples():\n    return [(rng.random((1, 4)), np.array([i])) for i in range(3)]\n"
        )
        assert [int(sample["n"][0]) for sample in read(reference, *ports).samples] == [0, 1, 2]
        assert read(reference, *ports).labels is None

    def test_an_endless_iterator_ends(self, function):
        reference = function(
            "def forever():\n    while True: yield rng.random(4)\n"
            "def samples(): return forever(), (i % 3 for i in range(5000))\n"
        )
        data = read(reference)
        assert len(data.samples) == len(data.labels) == 2000

    def test_a_sequence_is_read_where_it_is_needed(self, function):
        reference = function(
            "class Lazy:\n"
            "    def __len__(self): return 50\n"
            "    def __getitem__(self, i):\n"
            "        if i == 40: raise OSError('gone')\n"
            "        return np.full(4, float(i))\n"
            "def samples(): return Lazy()\n"
        )
        data = read(reference)
        assert data.samples[49]["x"][0, 0] == 49
        with pytest.raises(InputError, match=r"Sample 40 cannot be read: OSError: gone\."):
            data.samples[40]

    @pytest.mark.parametrize(
        ("returned", "cause"),
        [
            ("None", "returned an object of type NoneType"),
            ("'abc'", "returned an object of type str"),
            ("(1, 2, 3)", "returned a tuple of 3"),
            ("[]", "holds no samples"),
            ("[3, 'x']", "Sample 0 has shape"),
            ("[None]", "Sample 0 holds NoneType and no numbers"),
            ("[{'z': rng.random(4)}]", "Sample 0 has the names z, and the model's inputs are x"),
            ("[(rng.random(4), 1)]", "Sample 0 has 2 parts, and the model has 1 input: x"),
            ("{'z': rng.random((3, 4))}", "returned samples for z"),
            ("[rng.random(4)] * 3, [1, 2]", "2 labels and 3 samples"),
            ("[rng.random(4)] * 3, ['a', None, 'b']", "no numbers"),
            ("[rng.random(4)], 5", "a single number, 5"),
            ("(1 / 0 for _ in range(3))", "raised ZeroDivisionError"),
            ("1 / 0", "raised ZeroDivisionError"),
            ("[[[1], [1, 2]]]", "Sample 0 has 2 parts"),
        ],
    )
    def test_nonsense_is_refused(self, function, returned, cause):
        reference = function(f"def samples():\n    return {returned}\n")
        with pytest.raises(InputError, match=cause) as refused:
            read(reference)
        assert refused.value.remedy

    def test_batches_are_no_samples_of_a_model_that_takes_any(self, function):
        reference = function("def samples():\n    return [rng.random((8, 4)) for _ in range(3)]\n")
        assert read(reference).samples[0]["x"].shape == (8, 4), "a sequence of any length, perhaps"
        with pytest.raises(InputError, match="Sample 0 holds a batch of 8 inputs for 'x'"):
            read(reference, batchable=True)

    def test_a_function_that_is_not_there(self, function):
        with pytest.raises(InputError, match="no module 'nowhere_at_all'"):
            read("nowhere_at_all:samples")


@pytest.mark.parametrize("name", ["nothing.npz", "data.csv"])
def test_data_that_is_not_there_or_of_no_known_form(tmp_path, name):
    (tmp_path / "data.csv").write_text("1,2")
    with pytest.raises(UserError, match=r"There is no data|is no \.npz") as refused:
        read(tmp_path / name)
    assert "hub:" in refused.value.remedy


class TestInputs:
    def arrays(self, files):
        found = []
        for file in files:
            with np.load(file, allow_pickle=False) as archive:
                found.append(dict(archive))
        return found

    def test_sets_of_the_models_own_batch(self, tmp_path):
        ports = (Port("file", "float32", (None, 4)), Port("a/b", "int64", (1, 2)))
        np.savez(tmp_path / "d.npz", **{"a/b": np.arange(20).reshape(10, 2)})
        np.save(tmp_path / "x.npy", rows())
        data = read(None, *ports)
        files = write_inputs(data, subject(*ports), tmp_path / "inputs", None)
        assert len(files) == 8
        sets = self.arrays(files)
        assert list(sets[0]) == ["file", "a/b"]
        for one, sample in zip(sets, data.samples, strict=True):
            np.testing.assert_array_equal(one["a/b"], sample["a/b"])
        assert sorted(path.name for path in (tmp_path / "inputs").iterdir())[0] == "own-0.npz"
        assert {path.suffix for path in (tmp_path / "inputs").iterdir()} == {".npz"}

    def test_a_batch_stacks_different_samples(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=rows(100))
        data = read(tmp_path / "d.npz")
        sets = self.arrays(write_inputs(data, subject(), tmp_path / "inputs", 4, count=5))
        assert [one["x"].shape for one in sets] == [(4, 4)] * 5
        assert len(np.unique(np.concatenate([one["x"] for one in sets]), axis=0)) == 20

    def test_a_batch_that_is_no_multiple_of_the_models_own(self, tmp_path):
        port = Port("x", "float32", (5, 4))
        np.savez(tmp_path / "d.npz", x=rows(20))
        (one, _) = self.arrays(write_inputs(read(tmp_path / "d.npz", port), subject(port), tmp_path, 8))
        assert one["x"].shape == (8, 4)

    def test_few_samples_make_few_sets(self, tmp_path):
        np.savez(tmp_path / "d.npz", x=rows(5))
        data = read(tmp_path / "d.npz")
        assert len(write_inputs(data, subject(), tmp_path, 4)) == 2
        (one,) = self.arrays(write_inputs(data, subject(), tmp_path, 8))
        assert one["x"].shape == (8, 4), "samples come again where there are too few"

    def test_samples_of_different_lengths_make_no_batch(self, tmp_path):
        port = Port("x", "float32", (None, None))
        for index in range(2, 5):
            np.save(tmp_path / f"{index}.npy", np.ones((1, index), np.float32))
        data = read(tmp_path, port)
        assert len(write_inputs(data, subject(port), tmp_path / "in", None)) == 3
        with pytest.raises(InputError, match="differ in shape"):
            write_inputs(data, subject(port), tmp_path / "in", 2)

    def test_a_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / "inputs").write_text("")
        with pytest.raises(StorageError, match="cannot be written"):
            write_inputs(read(None), subject(), tmp_path / "inputs", None)
