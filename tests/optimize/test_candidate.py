import pytest

from optguide.optimize.candidate import BATCHES, Candidate, Deployment, space_of
from optguide.optimize.search.planning import LARGE

HINT = Deployment(hint="THROUGHPUT", requests=0)


def throughput(processors, *, batchable=True):
    own = {"streams": max(1, processors // 2), "threads": processors}
    return space_of("throughput", **own, processors=processors, batchable=batchable)


def test_latency_tries_threads_for_one_inference_at_a_time():
    space = space_of("latency", streams=1, threads=4, processors=8)
    assert space.deployments[:2] == (Deployment(), Deployment(hint="LATENCY"))
    assert {way.threads for way in space.deployments[2:]} == {1, 2, 8}  # four are the device's own choice
    assert all(way.streams == 1 and way.requests is None and not way.batch for way in space.deployments[2:])


@pytest.mark.parametrize("processors", [1, 2, 3, 4, 8, 64])
@pytest.mark.parametrize("goal", ["latency", "throughput"])
def test_everything_asked_for_can_be_given(goal, processors):
    space = space_of(goal, streams=1, threads=processors, processors=processors, batchable=True)
    for way in space.deployments:
        place = space.place(way)
        assert 1 <= place.streams <= place.threads <= processors
        assert place.requests <= 2
    names = [Candidate("default", way).name for way in space.deployments]
    assert len(set(names)) == len(names)
    assert len({space.place(way) for way in space.deployments if way.requests is not None}) == sum(
        way.requests is not None for way in space.deployments
    )


def test_throughput_begins_with_the_default_and_the_hint_and_goes_on_with_single_changes():
    space = throughput(4)
    assert space.deployments[:2] == (Deployment(), HINT)
    changes = [_changes(space, way) for way in space.deployments[2:]]
    assert changes == sorted(changes)
    assert changes[-1] == 4


def test_the_devices_own_choice_is_asked_for_by_the_hint_alone():
    space = throughput(4)
    assert all((way.streams, way.threads) != (2, 4) for way in space.deployments)
    assert Deployment(hint="THROUGHPUT", requests=4) in space.deployments  # twice its two streams
    assert Deployment(hint="THROUGHPUT", requests=0, batch=BATCHES[0]) in space.deployments


def test_a_model_whose_batch_is_fixed_keeps_it():
    assert all(way.batch is None for way in throughput(8, batchable=False).deployments)


def test_two_processors_are_enumerated_and_many_are_not():
    small = space_of("throughput", streams=2, threads=2, processors=2, batchable=True)
    assert len(small.deployments) <= LARGE
    assert len(throughput(64).deployments) > LARGE


def test_a_place_has_the_devices_choice_where_none_is_made():
    space = throughput(8)
    assert space.place(HINT) == (4, 8, 1, 1)
    assert space.place(Deployment(streams=2, threads=4, requests=4, batch=16)) == (2, 4, 2, 16)
    assert space.place(Deployment()).requests == 0


def _changes(space, way):
    place = space.place(way)
    other = (place.streams != space.own.streams) + (place.threads != space.own.threads)
    return other + (place.requests == 2) + (place.batch > 1)
