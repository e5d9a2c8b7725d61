"""Tests of :mod:`optguide.optimize.compression` and of what it calls in a process of its own."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from optguide.bench import process
from optguide.errors import StorageError
from optguide.optimize.candidate import Candidate, Settings
from optguide.optimize.compression import Compression, make
from optguide.optimize.compression.nncf import AccuracyControl
from optguide.optimize.data import read_data
from optguide.optimize.evaluation import JUDGING, Job, compiled_for
from optguide.optimize.evaluation.metrics import resolve
from optguide.optimize.model import read_source_model, write_ir
from optguide.optimize.outcome import Artifact, Quality
from optguide.stats.estimate import Estimate
from tests import in_process

pytest.importorskip("nncf")

SECONDS = 300.0
SHARE = Estimate(0.9, 0.8, 0.95, "share", 50)
WIDTH = 64


def weights(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) / 8


def dense(ops, x, width, seed):
    return ops.add(ops.matmul(x, weights(WIDTH, width, seed=seed), False, False), weights(1, width))


def classifier(ops, x):
    """Three layers, so that one is neither the first nor the last."""
    for seed in (0, 1):
        x = ops.relu(dense(ops, x, WIDTH, seed))
    return dense(ops, x, 4, 2)


def encoder(ops, x):
    """One step of attention over rows."""
    scores = ops.softmax(ops.matmul(dense(ops, x, WIDTH, 0), x, False, True), 2)
    return ops.matmul(ops.matmul(scores, x, False, False), weights(WIDTH, WIDTH), False, False)


@pytest.fixture
def here(monkeypatch):
    """Nothing is started, unless a test takes this back."""
    with monkeypatch.context() as patch:
        patch.setattr(process, "call", in_process.call)
        yield patch


@pytest.fixture
def run(here, tmp_path, save_ir):
    """A run on a model of one input ``x``: ``run(body, shape)`` has all that :func:`make` needs."""

    def begin(body, shape=(1, WIDTH), count=40, **options):
        path = save_ir(tmp_path / "model.xml", list(shape), body)
        folder = tmp_path / "out"
        if count:
            rng = np.random.default_rng(1)
            rows = rng.standard_normal(
                (count, *(size if size > 0 else 7 for size in shape)), dtype=np.float32
            )
            np.savez(tmp_path / "data.npz", x=rows)
            options["data"] = str(tmp_path / "data.npz")
        settings = Settings(str(path), **options)
        subject = read_source_model(settings, folder / "run")
        data = read_data(settings, subject)

        def artifact(precision, metric=None, seconds=SECONDS):
            return make(precision, Job(settings, subject, metric), folder, seconds)

        return SimpleNamespace(make=artifact, folder=folder, settings=settings, subject=subject, data=data)

    return begin


def operations(run, artifact):
    import openvino

    return Counter(
        op.get_type_name() for op in openvino.Core().read_model(run.folder / artifact.file).get_ops()
    )


def files(run):
    return sorted(path.name for path in (run.folder / "run").iterdir())


class TestFloats:
    @pytest.mark.parametrize("precision", ["f32", "default"])
    def test_are_the_file_that_was_read(self, run, precision):
        begun = run(classifier)
        artifact = begun.make(precision)
        assert (artifact.file, artifact.quality, artifact.why_not) == ("run/f32.xml", None, "")
        assert artifact.size == sum(path.stat().st_size for path in (begun.folder / "run").glob("f32.*"))


class TestInt8:
    def test_layers_are_quantized_with_the_calibration_samples(self, run):
        begun = run(classifier)
        artifact = begun.make("int8")
        assert artifact.why_not == ""
        assert artifact.file == "run/int8.xml"
        assert operations(begun, artifact)["FakeQuantize"] > 0
        assert artifact.note == "Calibrated with 20 samples."
        assert 0 < artifact.size < begun.make("f32").size
        assert files(begun) == ["f32.bin", "f32.xml", "int8.bin", "int8.xml"]

    def test_attention_declares_a_transformer(self, run):
        begun = run(encoder, (1, 5, WIDTH))
        assert "Declared a transformer" in begun.make("int8").note

    def test_signed_activations_take_asymmetric_ranges(self, run):
        artifact = run(lambda ops, x: dense(ops, ops.swish(dense(ops, x, WIDTH, 0)), 4, 1)).make("int8")
        assert "asymmetric ranges, because of Swish" in artifact.note

    def test_a_larger_batch_and_samples_of_open_length(self, run):
        artifact = run(classifier, (4, WIDTH)).make("int8")
        assert artifact.why_not == ""
        begun = run(lambda ops, x: dense(ops, x, 4, 0), (1, -1, WIDTH))
        assert begun.make("int8").why_not == ""

    def test_random_data_calibrate_too(self, run):
        artifact = run(classifier, count=0).make("int8")
        assert artifact.file
        assert "random samples" in artifact.note

    @pytest.mark.parametrize("precision", ["int8", "int8_weights", "int4_weights"])
    def test_nothing_to_quantize(self, run, precision):
        artifact = run(lambda ops, x: ops.tanh(x)).make(precision)
        assert artifact.file == ""
        assert "no convolution, matrix multiplication or recurrent layer" in artifact.why_not

    def test_what_is_quantized_stays_as_it_is(self, run, tmp_path, save_ir):
        first = run(classifier)
        quantized = first.folder / first.make("int8").file
        settings = Settings(str(quantized), data=first.settings.data)
        subject = read_source_model(settings, tmp_path / "again" / "run")
        for precision in ("int8", "int8_weights", "int4_weights"):
            artifact = make(precision, Job(settings, subject), tmp_path / "again", SECONDS)
            assert "quantized already" in artifact.why_not

    def test_a_single_sample_calibrates_nothing(self, run):
        assert "no samples to calibrate with" in run(classifier, count=1).make("int8").why_not

    def test_what_takes_too_long_is_given_up(self, run, here):
        begun = run(classifier)
        here.undo()
        artifact = begun.make("int8", seconds=0.2)
        assert "took longer" in artifact.why_not
        assert artifact.why_not.endswith("With --budget 11m it would have 1 s.")
        assert files(begun) == ["f32.bin", "f32.xml"]

    def test_memory_bounds_the_samples(self, run, monkeypatch):
        from optguide.optimize.compression import nncf as compressing

        begun = run(classifier, count=60)
        monkeypatch.setattr(compressing, "_MOST_BYTES", 10 * WIDTH * 4)
        assert len(compressing._affordable(begun.data)) == 10
        assert set(compressing._affordable(begun.data)) <= set(begun.data.calibration)


class TestWeights:
    def test_eight_bits(self, run):
        begun = run(classifier)
        artifact = begun.make("int8_weights")
        assert (artifact.why_not, artifact.note) == ("", "")
        assert operations(begun, artifact)["FakeQuantize"] == 0
        assert artifact.size < begun.make("f32").size

    def test_a_model_that_would_hardly_be_smaller(self, run):
        def table(ops, x):
            """A large addition before a small layer: only the layer has weights to compress."""
            rows = ops.add(ops.reshape(x, np.array([1, 1, WIDTH]), False), weights(1, 1000, WIDTH))
            return ops.matmul(ops.reduce_mean(rows, np.array([1]), False), weights(WIDTH, 4), False, False)

        artifact = run(table).make("int8_weights")
        assert artifact.file == ""
        assert "hardly smaller" in artifact.why_not

    def test_four_bits_say_where(self, run):
        artifact = run(classifier).make("int4_weights")
        assert artifact.note == "4-bit weights in 2 of 3 layers, 8-bit ones in the others."

    def test_four_bits_that_no_layer_can_have(self, run):
        artifact = run(lambda ops, x: dense(ops, x, 4, 0)).make("int4_weights")
        assert "No layer can have weights of 4 bits" in artifact.why_not


class TestComputingInFloats:
    """The precision of weights and that of computing are two things."""

    def existing(self, loss, kept="exceeded"):
        def quality(low, high, kept):
            return Quality("top-1", False, SHARE, Estimate(low, low, high, "points", 50), 1.0, kept)

        return [
            Artifact("f32", "f32.xml", quality=Quality("top-1", False, SHARE, None, 1.0, "kept")),
            Artifact("default", "f32.xml", quality=quality(loss, loss, "kept")),
            Artifact("int8", "int8.xml", quality=quality(4.0, 6.0, kept)),
        ]

    def following(self, run, existing):
        begun = run(classifier)
        (begun.folder / "run" / "int8.xml").write_text("")
        job = Job(begun.settings, begun.subject)
        compression = Compression(job, begun.folder, lambda: 60.0, str, ("int8", "int8_f32", "int8_accuracy"))
        artifact = compression.next(existing)
        return artifact and (artifact.precision, artifact.file)

    def test_is_tried_where_the_default_precision_may_be_what_loses(self, run):
        assert self.following(run, self.existing(5.0)) == ("int8_f32", "run/int8.xml")

    def test_is_the_same_where_the_default_answers_like_floats(self, run):
        precision, _ = self.following(run, self.existing(0.0))
        assert precision == "int8_accuracy"

    def test_is_not_needed_where_the_default_precision_does(self, run):
        assert self.following(run, self.existing(5.0, "kept")) is None

    def test_is_pinned_wherever_it_runs(self, run):
        begun = run(classifier)
        compiled = compiled_for(begun.subject.file, "CPU", Candidate("int8_f32", JUDGING))
        assert compiled.get_property("INFERENCE_PRECISION_HINT").to_dtype() == np.float32
        assert Candidate("int8_weights_f32").variant("m.xml").openvino.precision == "f32"
        assert Candidate("int8_f32").properties == {"INFERENCE_PRECISION_HINT": "f32"}


class TestAccuracyControl:
    def test_keeps_what_is_asked_for(self, run):
        begun = run(classifier, max_drop=0.5)
        metric = resolve(begun.settings, begun.data, begun.subject)
        artifact = begun.make("int8_accuracy", metric)
        assert artifact.why_not == ""
        assert operations(begun, artifact)["FakeQuantize"] > 0
        assert "decided which layers" in artifact.note
        assert files(begun) == ["f32.bin", "f32.xml", "int8_accuracy.bin", "int8_accuracy.xml", "outputs"]
        assert not list((begun.folder / "run" / "outputs").iterdir())

    def test_takes_layers_back(self, run):
        begun = run(classifier, max_drop=0.0, metric="cosine")
        metric = resolve(begun.settings, begun.data, begun.subject)
        plain, artifact = begun.make("int8"), begun.make("int8_accuracy", metric)
        assert artifact.why_not == ""
        assert operations(begun, artifact)["FakeQuantize"] < operations(begun, plain)["FakeQuantize"]

    def test_a_metric_of_all_samples_hands_the_outputs_over(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "readers_module.py").write_text(
            "import numpy as np\n"
            "def spread(outputs, labels):\n"
            "    return float(np.std([one[0] for one in outputs]))\n"
            "spread.higher_is_better = False\n"
        )
        begun = run(classifier, metric="readers_module:spread")
        metric = resolve(begun.settings, begun.data, begun.subject)
        compiled, items = (
            compiled_for(begun.subject.file, "CPU", Candidate("f32", JUDGING)),
            begun.data.calibration,
        )
        control = AccuracyControl(compiled, begun.data, metric, items, tmp_path / "control")
        value, outputs = control.validate(compiled, items[:5])
        expected = np.concatenate([compiled(begun.data.samples[item])[0] for item in items[:5]])
        assert value == pytest.approx(-expected.std(), rel=1e-4)
        np.testing.assert_allclose(np.concatenate([one[0] for one in outputs]), expected, rtol=1e-4)
        whole, _ = control.validate(compiled, items)
        assert control.scale == pytest.approx(-whole)

    def test_needs_something_that_judges(self, run):
        assert "needs samples" in run(classifier, count=0).make("int8_accuracy").why_not


class TestTime:
    def next(self, begun, existing, remaining=0.0, metric=None):
        job = Job(begun.settings, begun.subject, metric)
        return Compression(job, begun.folder, lambda: remaining, lambda text: None).next(existing)

    def test_what_is_not_begun_says_which_budget_would_do(self, run):
        begun = run(classifier)
        existing = (begun.make("f32"), begun.make("default"))
        assert self.next(begun, existing).why_not == (
            "The budget left no time to make it. With --budget 14m it would have 60 s."
        )
        slow = (*existing, Artifact("int8", "i.xml", seconds=100.0))
        assert "--budget 21m it would have 200 s" in self.next(begun, slow).why_not


class TestSettings:
    """A precision that is wrong with many inferences at once is judged one at a time too."""

    @pytest.fixture
    def judged(self, run, monkeypatch):
        """The default precision, made and judged: ``judged(many, single)``, both a loss in points."""
        begun = run(classifier)
        metric = resolve(begun.settings, begun.data, begun.subject)

        def judge(many, single):
            def evaluate(artifact, job, folder, seconds, deployment=JUDGING):
                loss = many if deployment == JUDGING else single
                value = Estimate(loss, loss - 0.1, loss + 0.1, "points", 900)
                kept = "exceeded" if loss > 1 else "kept"
                return replace(artifact, quality=Quality("top-1", False, value, value, 1.0, kept))

            monkeypatch.setattr("optguide.optimize.compression.evaluate", evaluate)
            job = Job(begun.settings, begun.subject, metric)
            compression = Compression(job, begun.folder, lambda: 60.0, lambda text: None)
            return compression.next([begun.make("f32")])

        return judge

    def test_it_is_not_rejected_if_it_is_right_one_at_a_time(self, judged):
        artifact = judged(86.0, 0.2)
        assert (artifact.precision, artifact.quality.kept) == ("default", "kept")
        assert "one inference at a time it is right" in artifact.note.lower()
        assert "under the THROUGHPUT hint it loses 86" in artifact.note

    def test_it_is_rejected_if_it_is_wrong_in_both(self, judged):
        artifact = judged(86.0, 40.0)
        assert artifact.quality.loss.value == 86.0
        assert artifact.note == ""

    def test_what_is_right_is_judged_once(self, judged):
        assert judged(0.2, 86.0).quality.loss.value == 0.2


def test_a_disk_that_is_full_ends_the_run(run, monkeypatch):
    import openvino

    begun = run(classifier)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openvino, "save_model", full)
    model = openvino.Core().read_model(begun.subject.file)
    with pytest.raises(StorageError, match="No space left"):
        write_ir(model, begun.subject.file.with_name("int8.xml"))
    assert files(begun) == ["f32.bin", "f32.xml"]
