"""Tests of :mod:`optguide.optimize.evaluation`."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from optguide.bench import process
from optguide.errors import InputError, OptionError
from optguide.optimize.candidate import Deployment, Settings
from optguide.optimize.compression import make
from optguide.optimize.data import read_data
from optguide.optimize.evaluation import JUDGING, Job, evaluate
from optguide.optimize.evaluation.metrics import resolve
from optguide.optimize.model import read_source_model
from optguide.optimize.outcome import Artifact
from tests import in_process

SECONDS = 120.0
WIDTH, CLASSES = 8, 3

WEIGHTS = np.random.default_rng(0).standard_normal((WIDTH, CLASSES), dtype=np.float32)


def linear(weights):
    """Scores of classes, with a bias."""

    def body(ops, x):
        return ops.add(ops.matmul(x, weights, False, False), np.zeros((1, CLASSES), np.float32))

    return body


def rows(count):
    return np.random.default_rng(1).standard_normal((count, 1, WIDTH), dtype=np.float32)


@pytest.fixture
def here(monkeypatch):
    """Nothing is started, unless a test takes this back."""
    with monkeypatch.context() as patch:
        patch.setattr(process, "call", in_process.call)
        yield patch


@pytest.fixture
def run(here, tmp_path, save_ir, monkeypatch):
    """A run on a linear classifier and samples that it has right, nine times out of ten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def begin(count=60, labelled=True, body=None, shape=(1, WIDTH), module="", **options):
        model = save_ir(tmp_path / "model.xml", list(shape), body or linear(WEIGHTS))
        x = rows(count)
        arrays = {"x": x}
        if labelled:
            right = (x[:, 0] @ WEIGHTS).argmax(axis=1)
            arrays["labels"] = np.where(np.arange(count) % 10 == 0, (right + 1) % CLASSES, right)
        np.savez(tmp_path / "data.npz", **arrays)
        (tmp_path / "readers_module.py").write_text(module)
        sys.modules.pop("readers_module", None)
        importlib.invalidate_caches()
        options.setdefault("data", str(tmp_path / "data.npz"))
        settings = Settings(str(model), **options)
        folder = tmp_path / "out"
        subject = read_source_model(settings, folder / "run")
        data = read_data(settings, subject)
        metric = resolve(settings, data, subject)
        job = Job(settings, subject, metric)

        def evaluated(artifact, seconds=SECONDS, deployment=JUDGING):
            return evaluate(artifact, job, folder, seconds, deployment)

        def artifact(precision):
            return make(precision, job, folder, SECONDS)

        def other(weights):
            """As if the model with other weights had been made."""
            save_ir(folder / "run" / "int8.xml", list(shape), linear(weights))
            return Artifact("int8", "run/int8.xml")

        return SimpleNamespace(
            evaluate=evaluated, make=artifact, other=other, folder=folder, data=data, metric=metric
        )

    return begin


class TestLabels:
    def test_floats_have_a_value_and_no_loss(self, run):
        begun = run()
        quality = begun.evaluate(begun.make("f32")).quality
        assert (quality.metric, quality.proxy, quality.loss, quality.kept) == ("top-1", False, None, "kept")
        assert quality.value.n == len(begun.data.evaluation) == 30
        assert 0.7 < quality.value.value <= 1.0

    def test_a_model_that_is_worse_exceeds_the_limit(self, run):
        begun = run(200)
        begun.evaluate(begun.make("f32"))
        quality = begun.evaluate(begun.other(-WEIGHTS)).quality
        assert quality.kept == "exceeded"
        assert quality.loss.value > 50

    def test_one_that_is_the_same_keeps_it(self, run):
        begun = run(900)
        begun.evaluate(begun.make("f32"))
        quality = begun.evaluate(begun.other(WEIGHTS)).quality
        assert (quality.kept, quality.loss.n) == ("kept", 600)

    def test_labels_stay_with_their_samples(self, run):
        """All samples of the evaluation count, in whatever order: the accuracy is that of a plain loop."""
        begun = run(90)
        x, labels = rows(90)[:, 0], begun.data.labels
        indexes = list(begun.data.evaluation)
        expected = float(((x[indexes] @ WEIGHTS).argmax(axis=1) == labels[indexes]).mean())
        assert begun.evaluate(begun.make("f32")).quality.value.value == expected

    def test_no_sample_calibrates_and_evaluates(self, run):
        begun = run()
        assert not set(begun.data.evaluation) & set(begun.data.calibration)

    def test_few_samples_show_nothing(self, run):
        begun = run(10)
        begun.evaluate(begun.make("f32"))
        quality = begun.evaluate(begun.other(WEIGHTS + 0.01)).quality
        assert quality.kept == "not judged"
        assert "at least 20" in quality.note


class TestProxies:
    def test_without_labels_the_first_choice_is_compared(self, run):
        begun = run(labelled=False)
        begun.evaluate(begun.make("f32"))
        quality = begun.evaluate(begun.other(-WEIGHTS)).quality
        assert (quality.metric, quality.proxy, quality.kept) == ("top-1 agreement", True, "exceeded")

    def test_int8_by_cosine(self, run):
        pytest.importorskip("nncf")
        begun = run(labelled=False, metric="cosine")
        begun.evaluate(begun.make("f32"))
        quality = begun.evaluate(begun.make("int8")).quality
        assert quality.proxy
        assert 0.9 < quality.value.value < 1

    def test_samples_of_different_lengths(self, run):
        def mean(ops, x):
            return ops.reduce_mean(x, np.array([1]), False)

        module = (
            "import numpy as np\n"
            "def texts():\n"
            "    rng = np.random.default_rng(0)\n"
            "    return [{'x': rng.standard_normal((1, 1 + i % 7, 8), dtype='f')} for i in range(50)]\n"
        )
        begun = run(body=mean, shape=(1, -1, WIDTH), module=module, data="readers_module:texts")
        assert begun.evaluate(begun.make("f32")).quality.metric == "cosine similarity"
        assert begun.evaluate(begun.make("default")).quality.kept == "kept"


class TestWhatCannotBeJudged:
    def test_random_data(self, run):
        begun = run(data=None)
        artifact = begun.evaluate(begun.make("f32"))
        assert artifact.quality is None
        assert "Random data cannot show accuracy" in artifact.note

    def test_what_was_not_made(self, run):
        artifact = Artifact("int8", why_not="There is nothing to quantize.")
        assert run().evaluate(artifact) == artifact

    def test_nan_is_no_candidate(self, run):
        begun = run()
        begun.evaluate(begun.make("f32"))
        artifact = begun.evaluate(begun.other(np.full_like(WEIGHTS, np.nan)))
        assert (artifact.file, artifact.quality) == ("", None)
        assert "with NaN, and 32-bit floats do not" in artifact.why_not

    def test_floats_come_first(self, run):
        begun = run()
        artifact = begun.evaluate(begun.other(WEIGHTS))
        assert artifact.quality is None
        assert "no answers of 32-bit floats" in artifact.note

    def test_a_model_that_cannot_be_read(self, run):
        begun = run()
        begun.evaluate(begun.make("f32"))
        artifact = begun.other(WEIGHTS)
        (begun.folder / artifact.file).write_text("<net/>")
        artifact = begun.evaluate(artifact)
        assert artifact.quality is None
        assert artifact.note

    def test_what_takes_too_long(self, run, here):
        begun = run()
        here.undo()
        artifact = begun.evaluate(begun.make("f32"), seconds=0.1)
        assert artifact.quality is None
        assert "took longer" in artifact.note
        assert not list((begun.folder / "run").glob("outputs/*.part"))

    def test_data_that_change_from_one_reading_to_the_next(self, run):
        module = (
            "import numpy as np\n"
            "def shuffled():\n"
            "    return list(np.random.default_rng().standard_normal((60, 1, 8), dtype=np.float32))\n"
        )
        begun = run(module=module, data="readers_module:shuffled")
        begun.evaluate(begun.make("f32"))
        artifact = begun.evaluate(begun.make("default"))
        assert artifact.quality is None
        assert "differ from one reading to the next" in artifact.note

    def test_labels_that_do_not_fit_are_the_readers_to_correct(self, run, tmp_path):
        begun = run()
        with np.load(tmp_path / "data.npz") as arrays:
            np.savez(tmp_path / "data.npz", x=arrays["x"], labels=arrays["labels"] + 1)
        with pytest.raises(InputError, match="model has 3 classes"):
            begun.evaluate(begun.make("f32"))


class TestReadersMetric:
    def test_right_or_wrong(self, run):
        module = (
            "def right(outputs, labels):\n    return [o[0].argmax() == l for o, l in zip(outputs, labels)]\n"
        )
        begun = run(100, module=module, metric="readers_module:right")
        assert begun.evaluate(begun.make("f32")).quality.value.unit == "share"
        assert begun.evaluate(begun.other(-WEIGHTS)).quality.kept == "exceeded"

    @pytest.mark.parametrize(
        ("body", "said"),
        [("raise KeyError(3)", "raised KeyError: 3"), ("return float('nan')", "returned NaN")],
    )
    def test_one_that_fails_is_the_readers_to_correct(self, run, body, said):
        begun = run(module=f"def right(outputs, labels):\n    {body}\n", metric="readers_module:right")
        with pytest.raises(OptionError, match=said):
            begun.evaluate(begun.make("f32"))

    def test_one_that_fails_later_is_noted(self, run):
        module = "def right(outputs, labels):\n    return [1 / int(o[0].max() < 99) for o in outputs]\n"
        begun = run(module=module, metric="readers_module:right")
        begun.evaluate(begun.make("f32"))
        artifact = begun.evaluate(begun.other(-1000 * WEIGHTS))
        assert artifact.quality is None
        assert "ZeroDivisionError" in artifact.note


def test_each_has_a_process_of_its_own(run, here):
    begun = run()
    here.undo()
    floats = begun.evaluate(begun.make("f32"))
    assert floats.quality.value.n == 30
    assert begun.evaluate(begun.other(-WEIGHTS)).quality.kept == "exceeded"


class TestAnswersOfFloats:
    def test_stay_and_those_of_others_do_not(self, run):
        begun = run()
        begun.evaluate(begun.make("f32"))
        begun.evaluate(begun.other(WEIGHTS))
        assert [path.name for path in (begun.folder / "run" / "outputs").iterdir()] == ["f32"]


class TestDeployments:
    """Answers under the settings of a deployment."""

    SETTINGS = (
        Deployment("LATENCY"),
        Deployment(streams=2, threads=2, requests=4),
        Deployment("THROUGHPUT", requests=0, batch=7),  # which 30 samples do not fill
    )

    @pytest.mark.parametrize("deployment", SETTINGS, ids=lambda deployment: deployment.name)
    def test_every_sample_has_its_own_answer(self, run, deployment):
        begun = run()
        original = begun.evaluate(begun.make("f32"))
        for precision in ("f32", "default"):
            quality = begun.evaluate(begun.make(precision), deployment=deployment).quality
            assert quality.value == original.quality.value
            assert (quality.loss.value, quality.loss.n) == (0, 30)

    def test_floats_that_answer_wrongly_as_deployed_do_not_become_the_reference(self, run):
        begun = run(900)
        begun.evaluate(begun.make("f32"))
        wrong = Artifact("f32", begun.other(-WEIGHTS).file)
        assert begun.evaluate(wrong, deployment=Deployment()).quality.kept == "exceeded"
        assert begun.evaluate(begun.make("f32"), deployment=Deployment()).quality.kept == "kept"
