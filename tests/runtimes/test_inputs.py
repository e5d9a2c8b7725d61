from __future__ import annotations

import numpy as np
import pytest

from optguide.errors import InputError, StorageError
from optguide.runtimes.inputs import check_types, from_files, random_inputs, save
from optguide.runtimes.ports import Port


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


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "float64", "int64", "int32", "uint8", "uint64", "bool"]
)
def test_random_values_have_the_type_and_shape_and_are_seeded(dtype):
    ports = [Port("x", dtype, (4, 8))]
    drawn = random_inputs(ports, seed=1)["x"]
    assert drawn.shape == (4, 8)
    assert drawn.dtype == np.dtype(dtype)
    assert np.unique(drawn).size > 1
    np.testing.assert_array_equal(drawn, random_inputs(ports, seed=1)["x"])
    assert not np.array_equal(drawn, random_inputs(ports, seed=2)["x"])


def test_a_scalar_and_an_empty_cache_get_arrays_of_their_shape():
    drawn = random_inputs([Port("t", "float32", ()), Port("past", "float32", (1, 2, 0, 8))], seed=0)
    assert (drawn["t"].shape, drawn["past"].shape) == ((), (1, 2, 0, 8))


def test_random_values_follow_the_name_and_not_the_place():
    left, right = Port("left", "float32", (3,)), Port("right:0", "float32", (3,))
    drawn = random_inputs([left, right], seed=3)
    other = random_inputs([Port("right", "float32", (3,)), left], seed=3)
    np.testing.assert_array_equal(drawn["left"], other["left"])
    np.testing.assert_array_equal(drawn["right:0"], other["right"])
    assert not np.array_equal(drawn["left"], drawn["right:0"])


def test_a_single_input_gets_the_same_values_under_any_name():
    one, other = (random_inputs([Port(name, "float32", (3,))], seed=3) for name in ("x", "input.1"))
    np.testing.assert_array_equal(one["x"], other["input.1"])


def test_random_integers_are_valid_in_every_vocabulary():
    drawn = random_inputs([Port("ids", "int64", (100,))], seed=0)["ids"]
    assert set(drawn) == {0, 1}


def test_types_without_random_values_are_refused():
    with pytest.raises(InputError, match="'text' takes text, for which"):
        random_inputs([Port("text", "str", (1,))], seed=0)


@pytest.mark.parametrize(
    ("dtype", "array", "expected"),
    [
        ("float32", np.ones(2), "takes float32 and the file has float64"),
        ("str", np.ones(2), "takes text"),
        ("bf16", np.ones(2, np.int64), "takes bf16"),
        ("u4", np.ones(2), "takes u4"),
        ("int64", np.array(["a"]), "takes int64"),
    ],
)
def test_arrays_of_another_type_are_refused(dtype, array, expected):
    with pytest.raises(InputError, match=expected):
        check_types({"x": array}, [Port("x", dtype, (2,))])


def test_arrays_of_the_type_are_taken():
    ports = [Port("t", "str", (2,)), Port("b", "bf16", (2,)), Port("n", "u4", (2,))]
    check_types({"t": np.array(["a", "b"]), "b": np.ones(2, np.float16), "n": np.ones(2, np.uint8)}, ports)
