from optguide.claims.on_model.probe import measured
from optguide.errors import NotEnoughSamples
from optguide.records import Result


def test_what_was_not_estimated_has_its_reason():
    def too_few():
        raise NotEnoughSamples("Too few rounds.", "Give more time.")

    result = Result(2.0, 1.5, 2.5, "ratio", 7, "median", "a over b")
    assert measured(lambda: result) == result
    assert measured(too_few) == "Too few rounds."
