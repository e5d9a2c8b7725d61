from __future__ import annotations

import pytest

from optguide.errors import InputError, ModelError
from optguide.references import called, function, is_reference


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with a module, whose name no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # undoes what function() appends, too

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def test_a_reference_is_a_module_and_a_function(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_reference("package.module:function")
    for text in ("model.xml", "a:b:c", "C:/x:y", ":f", "m:", "hub:a/b"):
        assert not is_reference(text), text
    (tmp_path / "a:b").touch()
    assert not is_reference("a:b"), "a file of that name comes first"


def test_a_function_of_the_current_folder_is_called(here):
    name = here("reference_good", "def make():\n    return 3\nclass K:\n    make = staticmethod(lambda: 4)\n")
    assert called(f"{name}:make", ModelError) == 3
    assert function(f"{name}:K.make", ModelError)() == 4


@pytest.mark.parametrize(
    ("text", "attribute", "cause", "remedy"),
    [
        ("def make(): return 1", "mak", "has no 'mak'", "Did you mean make?"),
        ("make = 3", "make", "is of type int, not a function", "Name a function"),
        ("def make(: pass", "make", "Importing {} failed: SyntaxError", "Correct the module"),
        ("import no_such_package_x", "make", "it needs no_such_package_x", "Install that package"),
        (
            "def make(): raise ValueError('so\\nand so')",
            "make",
            "raised ValueError: so.",
            "without arguments",
        ),
        ("def make(): raise SystemExit(3)", "make", "raised SystemExit: 3.", "without arguments"),
        ("def make(x): return x", "make", "raised TypeError", "without arguments"),
        ("raise SystemExit('bye')", "make", "failed: SystemExit: bye.", "Correct the module"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(here, request, text, attribute, cause, remedy):
    name = here(f"reference_{request.node.callspec.indices['text']}", text)
    with pytest.raises(InputError) as refused:
        called(f"{name}:{attribute}", InputError)
    assert cause.format(name) in refused.value.message
    assert remedy in refused.value.remedy


def test_a_module_that_is_not_there(here):
    with pytest.raises(ModelError, match=r"There is no module 'nowhere_at_all.inside' here") as refused:
        function("nowhere_at_all.inside:make", ModelError)
    assert "folder" in refused.value.remedy


def test_refusals_of_the_function_itself_pass(here):
    name = here(
        "reference_own",
        "from optguide.errors import EnvironmentMissing\n"
        "def make(): raise EnvironmentMissing('No x.', 'Install x.')\n",
    )
    with pytest.raises(Exception, match=r"No x\.") as raised:
        called(f"{name}:make", InputError)
    assert type(raised.value).__name__ == "EnvironmentMissing"
