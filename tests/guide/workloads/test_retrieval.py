"""Retrieval: fixed pairs, calibration texts apart from them, and embeddings in the order of their texts."""

from __future__ import annotations

import numpy as np
import openvino
import pytest

from optguide.errors import InputError
from optguide.guide import workloads
from optguide.guide.workloads import retrieval

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@pytest.fixture(scope="module")
def compiled():
    return openvino.Core().compile_model(workloads.sentences_dynamic().ir, "CPU")


def test_pairs_are_many_unique_and_always_the_same():
    pairs = retrieval.pairs()
    assert len(pairs) > 500
    assert len({query for query, _ in pairs}) == len({body for _, body in pairs}) == len(pairs)
    assert pairs == retrieval.pairs(10**6)
    assert all(query.endswith(".") and len(body) >= retrieval.BODY_LETTERS for query, body in pairs)


def test_fewer_pairs_are_spread_over_all():
    everything, some = retrieval.pairs(), retrieval.pairs(50)
    places = [everything.index(pair) for pair in some]
    assert len(some) == 50
    assert places == sorted(set(places))
    assert places[-1] == len(everything) - 1
    with pytest.raises(InputError):
        retrieval.pairs(1)


def test_calibration_texts_belong_to_no_pair():
    texts = set(retrieval.calibration(300))
    assert not texts & {text for pair in retrieval.pairs() for text in pair}
    with pytest.raises(InputError, match="calibration texts"):
        retrieval.calibration(10**6)


def test_tokens_have_their_natural_length():
    short, long = retrieval.tokens(["one word", "word " * 500])
    assert {name: array.shape for name, array in short.items()} == dict.fromkeys(short, (1, 4))
    assert long["input_ids"].shape == (1, 128)
    assert retrieval.lengths(["one word", "word " * 500]).tolist() == [4, 128]


def test_embeddings_keep_the_order_of_their_texts(compiled):
    texts = ["A long sentence about the colours of flowers in a garden in spring.", "Files.", "Two words."]
    rows = retrieval.embed(compiled, texts)
    assert rows.shape == (3, 384)
    for text, row in zip(texts, rows, strict=True):
        alone = compiled(dict(retrieval.tokens([text])[0]))[0][0]
        assert alone @ row == pytest.approx(1.0, abs=1e-2)
    assert rows[0] @ rows[1] < 0.9


def test_texts_of_one_length_go_together_and_keep_their_order(compiled):
    texts = [*(f"number {word}" for word in _NUMBERS), "?"]
    model = openvino.Core().read_model(workloads.sentences_dynamic().ir)
    model.reshape({port.any_name: [1, -1] for port in model.inputs})
    singly = openvino.Core().compile_model(model, "CPU")
    rows = retrieval.embed(compiled, texts)
    assert rows.shape == (11, 384)
    np.testing.assert_allclose((rows * retrieval.embed(singly, texts)).sum(axis=1), 1, atol=1e-2)
    assert (rows @ rows.T - np.eye(11)).max() < 0.99


def test_the_encoder_finds_texts_far_more_often_than_chance(compiled):
    queries, bodies = zip(*retrieval.pairs(60), strict=True)
    found = retrieval.hits(retrieval.embed(compiled, queries), retrieval.embed(compiled, bodies))
    assert found.shape == (60,)
    assert found.mean() > 0.5


def test_a_hit_is_the_nearest_of_all_bodies():
    bodies = np.eye(3, dtype=np.float32)
    assert retrieval.hits(bodies[[0, 2, 1]], bodies).tolist() == [True, False, False]
