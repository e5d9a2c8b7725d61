"""Which array belongs to which input, which output to which, and what is one input."""

from __future__ import annotations

import pytest

from optguide.errors import InputError
from optguide.runtimes.ports import Port, all_names, count_frames, match, match_shapes, pairing

IDS = Port("input_ids", "int64", (1, 16), also=("input_ids:0",))
MASK = Port("attention_mask", "int64", (1, 16), also=("attention_mask:0",))


@pytest.mark.parametrize(
    "values",
    [
        {"attention_mask": 2, "input_ids": 1},
        {"attention_mask:0": 2, "input_ids:0": 1},
        {"attention_mask": 2, "input_ids:0": 1, "token_type_ids": 3},
    ],
)
def test_every_name_of_a_port_counts_and_the_order_does_not(values):
    matching = match(values, [IDS, MASK], "real.npz")
    assert list(matching.values.items()) == [("input_ids", 1), ("attention_mask", 2)]
    assert not matching.by_order
    assert matching.unused == (("token_type_ids",) if len(values) == 3 else ())


def test_the_order_decides_where_no_name_fits_and_that_is_told():
    matching = match({"a": 1, "b": 2}, [IDS, MASK], "real.npz")
    assert matching.values == {"input_ids": 1, "attention_mask": 2}
    assert matching.by_order


@pytest.mark.parametrize(
    "values", [{"attention_mask": 2, "input_id": 1}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {}]
)
def test_one_misspelt_name_or_another_number_of_arrays_is_refused(values):
    with pytest.raises(InputError, match="the model's inputs are input_ids, attention_mask"):
        match(values, [IDS, MASK], "real.npz")


def test_two_arrays_for_one_input_are_refused():
    with pytest.raises(InputError, match="gives input 'input_ids' twice, as input_ids and input_ids:0"):
        match({"input_ids": 1, "input_ids:0": 2, "attention_mask": 3}, [IDS, MASK], "real.npz")


def test_shapes_go_by_any_name_and_some_may_be_left_out():
    assert match_shapes({"input_ids:0": (1, 8)}, [IDS, MASK]) == {"input_ids": (1, 8)}
    with pytest.raises(InputError, match="no input 'input_id'; its inputs are input_ids, attention_mask"):
        match_shapes({"input_id": (1, 8)}, [IDS, MASK])


def test_made_up_names_are_none_of_the_real_ones():
    assert all_names([(), ("input0",), ()]) == [("_input0",), ("input0",), ("input2",)]
    assert all_names([("b", "a")], "output") == [("a", "b")]


def test_outputs_are_paired_by_any_name_or_else_by_order():
    assert pairing([("score",), ("prob",)], [("prob",), ("score", "score:0")]) == [1, 0]
    assert pairing([(), ()], [("a",), ("b",)]) is None
    assert pairing([("x",)], [("y",)]) is None
    for other in ([("score",), ("other",)], [("score",)], [("score",), ("prob",), ("more",)]):
        with pytest.raises(InputError, match="The one has score, prob, the other score"):
            pairing([("score",), ("prob",)], other)


@pytest.mark.parametrize(
    ("ports", "inputs", "outputs", "frames"),
    [
        ([Port("x", "", (8, 3, 4, 4), "NCHW")], [(8, 3, 4, 4)], [(100, 7)], 8),
        ([Port("x", "", (3, 4, 4, 8), "CHWN")], [(3, 4, 4, 8)], [(8, 7)], 8),
        ([Port("x", "", (3, 4, 4), "CHW")], [(3, 4, 4)], [(3, 4, 4)], 1),
        ([Port("x", "", (2, 3, 4), "?CH")], [(2, 3, 4)], [(5, 7)], 1),
        ([Port("x", "", (2, 5, 4), "?TC")], [(2, 5, 4)], [(2, 5, 7)], 2),
        ([Port("x", "", (8, 16))], [(8, 16)], [(8, 10)], 8),
        ([Port("x", "", (100, 1, 40))], [(100, 1, 40)], [(1, 64)], 1),
        ([Port("a", "", (900, 4)), Port("x", "", (1, 3, 32, 32))], [(900, 4), (1, 3, 32, 32)], [(900, 2)], 1),
        ([Port("x", "", (8, 16)), Port("t", "", ())], [(8, 16), ()], [(8, 10)], 8),
        ([Port("wave", "", (16000,))], [(16000,)], [(16000,)], 1),
        ([Port("x", "", (8, 16)), Port("lengths", "", (8,))], [(8, 16), (8,)], [(8, 10)], 8),
        ([], [], [(3, 4)], 1),
    ],
)
def test_what_is_one_input(ports, inputs, outputs, frames):
    assert count_frames(ports, inputs, outputs)[0] == frames


def test_an_example_of_a_shape_has_the_rank_of_the_port():
    assert Port("image", "float32", (None, 3, None, None)).example == "image=1,3,224,224"
    assert Port("ids", "int64", (None, None)).example == "ids=1,128"
    assert Port("image", "float32", (3, None, None, None), "CHWN").example == "image=3,224,224,1"
