from __future__ import annotations

import inspect

import pytest

from optguide import errors

CLASSES = [
    item for name, item in vars(errors).items() if inspect.isclass(item) and issubclass(item, Exception)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_the_users_mistake_or_a_failure(kind):
    expected = 2 if issubclass(kind, errors.UserError) else 1
    assert kind("It is wrong.").exit_status == expected
    assert kind in (errors.OptGuideError,) or issubclass(kind, (errors.UserError, errors.Failure))


def test_text_is_cause_and_remedy():
    error = errors.ModelError("The model is missing.", "Check the path.", detail="Traceback")
    assert str(error) == "The model is missing. Check the path."
    assert (error.message, error.remedy, error.detail) == (
        "The model is missing.",
        "Check the path.",
        "Traceback",
    )
    assert str(errors.ModelError("The model is missing.")) == "The model is missing."


@pytest.mark.parametrize("kind", CLASSES)
def test_found_by_name(kind):
    assert errors.by_name(kind.__name__) is kind


@pytest.mark.parametrize("name", ["KeyError", "NoSuchError", "ClassVar", "by_name", "__all__", ""])
def test_other_names_are_a_workers_failure(name):
    assert errors.by_name(name) is errors.WorkerError
