from __future__ import annotations

import numpy as np
import pytest

from optguide.errors import InputError, StorageError
from optguide.runtimes.inputs import from_files, match, random_inputs, save


def test_arrays_come_back_as_they_were_saved(tmp_path, save_inputs):
    first = save_inputs(tmp_path / "a.npz", x=np.arange(3, dtype=np.int64), y=np.ones((2, 2), np.float32))
    second = save_inputs(tmp_path / "b.npz", x=np.zeros(3, np.int64), y=np.zeros((2, 2), np.float32))
    one, two = from_files([str(first), str(second)])
    assert list(one) == ["x", "y"]
    assert one["x"].dtype == np.int64
    np.testing.assert_array_equal(one["x"], [0, 1, 2])
    np.testing.assert_array_equal(two["y"], np.zeros((2, 2)))


def test_inputs_of_any_name_are_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "set.npz"
    save(path, {"file": np.arange(4), "a/b": np.ones(2)})
    (found,) = from_files([str(path)])
    assert list(found) == ["file", "a/b"]
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.lib.format.write_array", full)
    with pytest.raises(StorageError, match="No space left"):
        save(path, {"file": np.zeros(4)})
    assert path.read_bytes() == before


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.npz does not exist"):
        from_files([str(tmp_path / "nothing.npz")])


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_npz(tmp_path, content):
    path = tmp_path / "inputs.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^inputs\.npz is not an \.npz file of plain arrays"):
        from_files([str(path)])


def test_a_damaged_array(tmp_path, save_inputs):
    path = save_inputs(tmp_path / "inputs.npz", x=np.arange(1000.0))
    data = bytearray(path.read_bytes())
    data[400:480] = bytes(80)
    path.write_bytes(data)
    with pytest.raises(InputError, match="is not an"):
        from_files([str(path)])


def test_a_single_array_file_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3))
    with pytest.raises(InputError, match="is not an"):
        from_files([str(tmp_path / "x.npy")])


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    witness = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (open, (str(witness), "w"))

    np.savez(tmp_path / "evil.npz", x=np.array([Payload()], dtype=object))
    with pytest.raises(InputError, match="is not an"):
        from_files([str(tmp_path / "evil.npz")])
    assert not witness.exists()


def test_an_empty_archive(tmp_path):
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(InputError, match="holds no array"):
        from_files([str(tmp_path / "empty.npz")])


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int64", "int32", "uint8", "bool"])
def test_random_values_have_the_type_and_shape_and_are_seeded(dtype):
    specs = {"x": ((4, 8), np.dtype(dtype))}
    drawn = random_inputs(specs, seed=1)["x"]
    assert drawn.shape == (4, 8)
    assert drawn.dtype == np.dtype(dtype)
    assert np.unique(drawn).size > 1
    np.testing.assert_array_equal(drawn, random_inputs(specs, seed=1)["x"])
    assert not np.array_equal(drawn, random_inputs(specs, seed=2)["x"])


def test_random_integers_are_valid_in_every_vocabulary():
    drawn = random_inputs({"ids": ((100,), np.dtype(np.int64))}, seed=0)["ids"]
    assert set(drawn) == {0, 1}


def test_types_without_random_values_are_refused():
    with pytest.raises(InputError, match="'text' has element type object"):
        random_inputs({"text": ((1,), np.dtype(object))}, seed=0)


def test_match_orders_by_name_and_drops_what_the_model_does_not_know():
    arrays = {"extra": np.ones(1), "b": np.ones(2), "a": np.ones(3)}
    assert [(name, array.size) for name, array in match(arrays, ["a", "b"], "file").items()] == [
        ("a", 3),
        ("b", 2),
    ]


def test_match_takes_renamed_inputs_in_order():
    arrays = {"first": np.ones(1), "second": np.ones(2)}
    assert [(name, array.size) for name, array in match(arrays, ["a", "b"], "file").items()] == [
        ("a", 1),
        ("b", 2),
    ]


def test_match_refuses_another_number_of_arrays():
    with pytest.raises(InputError, match="The file holds a, and the model's inputs are a, b"):
        match({"a": np.ones(1)}, ["a", "b"], "The file")
