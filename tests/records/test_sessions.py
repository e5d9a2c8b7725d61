import math
from types import SimpleNamespace

import pytest

from optguide import records
from optguide.bench.variant import Variant
from optguide.errors import (
    ClaimError,
    DeviceError,
    EnvironmentMissing,
    NotEnoughSamples,
    OptionError,
    WorkerDied,
)
from optguide.records import Recording
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import Estimate


class Session:
    """A finished session of two variants, one of which failed."""

    rounds, ended, others_share = 12, "budget spent", math.nan
    spoiled, warnings = 1, ("1 round was left out.",)

    def __init__(self, control=None):
        fast = SimpleNamespace(
            variant=Variant("Fast one", model="a.xml"),
            effective={"NUM_STREAMS": "1"},
            versions={"openvino": "2026.4.1"},
            load_seconds=0.5,
            peak_rss=10**8,
        )
        self.series = {"Fast one": fast}
        self.failures = {"Broken": DeviceError("There is no device GPU here.", "Choose another.")}
        self._control = control

    def _check(self, *names):
        for name in names:
            if name in self.failures:
                raise self.failures[name]
            if name not in self.series:
                raise OptionError(f"The session has no variant {name!r}.")

    def latency(self, name, percentile=50):
        self._check(name)
        if percentile > 95:
            raise NotEnoughSamples("p99 needs 300 samples, and 80 were measured.", "Measure longer.")
        return Estimate(percentile / 10, percentile / 11, percentile / 9, "ms", 80)

    def throughput(self, name):
        self._check(name)
        return Estimate(200.0, 190.0, 210.0, "inferences/s", 12)

    def compare(self, a, b, quantity="latency"):
        self._check(a, b)
        value = {"a": 3.0, "b": 1.0, "Fast one": 2.0}
        ratio = value[a] / value[b] if quantity == "latency" else value[b] / value[a]
        return Comparison(a, b, quantity, Estimate(ratio, ratio, ratio, "ratio", 12))

    def cpu_time(self, name):
        self._check(name)
        return Estimate(9.0, 8.9, 9.1, "ms", 12)

    @property
    def control(self):
        if isinstance(self._control, Exception):
            raise self._control
        return self._control


PARTS = {"fast": "Fast one", "broken": "Broken"}


@pytest.fixture
def recording(tmp_path):
    return Recording("measure/x", declares=["x.*"], root=tmp_path)


def published(recording, tmp_path):
    recording.publish()
    return records.load(tmp_path)


def test_every_quantity_of_a_variant_is_recorded(recording, tmp_path):
    recording.session("x", Session(), PARTS, percentiles=(50, 95))
    found = published(recording, tmp_path)
    assert list(found.results) == [
        "x.fast.latency.p50",
        "x.fast.latency.p95",
        "x.fast.throughput",
        "x.fast.cpu_time",
    ]
    assert found.get("x.fast.latency.p95").value == 9.5
    assert found.get("x.fast.latency.p50").label == "Fast one: median latency"


def test_evidence_says_what_was_measured_and_how(recording, tmp_path):
    recording.session("x", Session(), PARTS)
    evidence = published(recording, tmp_path).get("x.fast.throughput").evidence
    assert evidence["variant"]["model"] == "a.xml"
    assert evidence["effective"] == {"NUM_STREAMS": "1"}
    assert evidence["versions"] == {"openvino": "2026.4.1"}
    assert (evidence["rounds"], evidence["ended"]) == (12, "budget spent")
    assert (evidence["load_seconds"], evidence["peak_rss"]) == (0.5, 10**8)
    assert evidence["others_share"] is None
    assert (evidence["spoiled"], evidence["warnings"]) == (1, ["1 round was left out."])


def test_failed_variants_and_refused_percentiles_are_unavailable_with_the_reason(recording, tmp_path):
    recording.session("x", Session(), PARTS, percentiles=(50, 99, 99.9))
    unavailable = published(recording, tmp_path).unavailable
    assert unavailable["x.fast.latency.p99"] == "p99 needs 300 samples, and 80 were measured."
    assert "x.fast.latency.p99_9" in unavailable
    for suffix in ("latency.p50", "latency.p99", "throughput", "cpu_time"):
        assert unavailable[f"x.broken.{suffix}"] == "There is no device GPU here."


def test_control_is_recorded(recording, tmp_path):
    ratio = Estimate(1.001, 0.99, 1.01, "ratio", 12)
    control = Comparison("Fast one", "Fast one (A/A control)", "latency", ratio, ratio)
    recording.session("x", Session(control), PARTS)
    found = published(recording, tmp_path)
    assert found.get("x.control").label == "Fast one against itself"
    assert found.get("x.control.cpu").value == 1.001


def test_control_of_too_few_rounds_is_unavailable(recording, tmp_path):
    recording.session("x", Session(NotEnoughSamples("Three rounds.")), PARTS)
    assert published(recording, tmp_path).unavailable["x.control"] == "Three rounds."


def test_names_the_session_does_not_have_are_refused(recording):
    with pytest.raises(OptionError, match="no variant 'Fats one'"):
        recording.session("x", Session(), {"fast": "Fats one"})


def test_a_failure_that_is_no_lack_of_the_machine_fails_the_example(tmp_path):
    session = Session()
    session.failures = {"Broken": WorkerDied("The worker was killed.", "Try again.")}
    recording = Recording("measure/x", declares=("x.*",), root=tmp_path)
    with pytest.raises(WorkerDied):
        recording.session("x", session, PARTS)


def test_ratios_say_which_is_faster_or_divide_b_by_a(recording, tmp_path):
    session = Session()
    session.series |= dict.fromkeys("ab", session.series["Fast one"])
    recording.ratios("x", session, {"gain": ("a", "b")})
    recording.ratios("x", session, {"rate": ("b", session.series["Fast one"].variant)}, "throughput")
    recording.ratios("x", session, {"wait": ("b", "a")}, above="longer")
    recording.ratios("x", session, {"more": ("b", "Fast one")}, "throughput", above="more", title="Small")
    found = published(recording, tmp_path)
    assert {key: result.value for key, result in found.results.items()} == {
        "x.gain": 3.0,
        "x.rate": 2.0,
        "x.wait": 3.0,
        "x.more": 2.0,
    }
    assert found.get("x.gain").text.endswith("faster")
    assert found.get("x.wait").text.endswith("longer")
    assert found.get("x.more").label == "Small, Fast one against b, throughput"


def test_a_ratio_with_a_failed_variant_is_unavailable_with_the_reason(recording, tmp_path):
    recording.ratios("x", Session(), {"gain": ("Broken", "Fast one"), "back": ("Fast one", "Broken")})
    unavailable = published(recording, tmp_path).unavailable
    assert unavailable == dict.fromkeys(("x.gain", "x.back"), "There is no device GPU here.")


def test_ratios_with_a_caption_become_a_figure(recording, tmp_path):
    session = Session()
    session.series["a"] = session.series["Fast one"]
    recording.ratios("x", session, {"gain": ("a", "Fast one")}, caption="What is faster.")
    figure = published(recording, tmp_path).by_example["measure/x"].figures["ratios"]
    assert (figure.alt, figure.caption) == ("Forest plot: Fast one against a.", "What is faster.")


def test_ratios_of_names_the_session_does_not_have_are_refused(recording):
    with pytest.raises(OptionError, match="no variant 'Fats one'"):
        recording.ratios("x", Session(), {"gain": ("Fast one", "Fats one")})


def test_a_session_that_the_profile_leaves_out_is_unavailable(recording, tmp_path):
    recording.session("x", False, PARTS)
    assert recording.ratios("x", False, {"gain": ("Fast one", "Broken")}) == {}
    found = published(recording, tmp_path)
    for identifier in ("x.fast.latency.p50", "x.broken.throughput", "x.gain"):
        with pytest.raises(ClaimError, match="the quick profile leaves it out"):
            found.get(identifier)


def test_starts_record_stages_and_memory_and_what_the_machine_lacks(recording, tmp_path):
    def estimate(name, stage="total"):
        if name == "Broken":
            raise DeviceError("There is no device GPU here.", "Choose another.")
        return Estimate(3.0, 2.9, 3.1, "ms", 6)

    starts = SimpleNamespace(estimate=estimate, memory=lambda name, kind: Estimate(9.0, 8.0, 9.5, "MB", 6))
    parts = {"plain": Variant("Plain", model="a.xml"), "gpu": Variant("Broken", model="a.xml")}
    recording.starts("x", starts, parts, ("load", "peak"))
    found = published(recording, tmp_path)
    assert {key: result.unit for key, result in found.results.items()} == {
        "x.plain.load": "ms",
        "x.plain.peak": "MB",
        "x.gpu.peak": "MB",
    }
    assert found.get("x.plain.load").evidence["variant"]["model"] == "a.xml"
    assert found.unavailable == {"x.gpu.load": "There is no device GPU here."}


def test_an_attempt_records_what_is_missing_and_raises_what_is_wrong(recording, tmp_path):
    with recording.attempt("x.tensorflow.*"):
        raise EnvironmentMissing("The environment tensorflow is not installed.", "Install it.")
    with pytest.raises(WorkerDied), recording.attempt("x.other"):
        raise WorkerDied("The worker was killed.", "Try again.")
    with pytest.raises(ClaimError, match="tensorflow is not installed"):
        published(recording, tmp_path).get("x.tensorflow.latency")


@pytest.mark.parametrize(
    ("quantity", "above", "value"),
    [("latency", "longer", 1 / 3), ("latency", "shorter", 3.0), ("throughput", "more", 1 / 3)],
)
def test_the_word_of_a_ratio_decides_what_is_divided(recording, tmp_path, quantity, above, value):
    session = Session()
    session.series |= dict.fromkeys("ab", session.series["Fast one"])
    recording.ratios("x", session, {"ratio": ("a", "b")}, quantity, above=above)
    assert published(recording, tmp_path).get("x.ratio").value == pytest.approx(value)
