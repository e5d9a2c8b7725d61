import contextlib
import os
import zipfile
from pathlib import Path

import pytest

from optguide.errors import InputError, ModelError
from optguide.runtimes.models import check_inputs, check_model, formats


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file(name, content="x"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(content)
    return name


def refused(model, runtime="openvino", **flags):
    with pytest.raises(ModelError) as caught:
        check_model(model, runtime, **{"allow_pickle": False} | flags)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("suffix", [*formats(), ".XML"])
def test_supported_files_pass(suffix):
    check_model(file(f"m{suffix}"), "openvino", allow_pickle=True)


def test_a_saved_model_is_a_folder():
    file("sm/saved_model.pb")
    check_model("sm", "openvino", allow_pickle=False)
    assert "Pass its folder: sm." in refused("sm/saved_model.pb")


def test_what_is_missing_or_empty_is_named():
    assert "There is no model 'nope.xml'" in refused("nope.xml")
    assert "is empty" in refused(file("m.xml", ""))
    Path("d").mkdir()
    assert "no saved_model.pb" in refused("d")


@pytest.mark.parametrize("name", ["m.h5", "m", "m.json", "m.txt"])
def test_other_files_are_refused_with_the_list_of_formats(name):
    said = refused(file(name))
    assert all(suffix in said for suffix in formats())
    assert "SavedModel" in said


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.pkl", "m.PT"])
def test_pickles_are_never_read(name):
    said = refused(file(name), allow_pickle=True)
    assert "unpickling" in said
    assert "torch.export.save" in said


def test_weights_lead_to_the_model():
    file("m.xml")
    assert "Pass m.xml" in refused(file("m.bin"))
    assert "no supported model format" in refused(file("other.bin"))


@pytest.mark.parametrize(("model", "pointer"), [("m.onnx", "m.onnx"), ("m.xml", "m.bin")])
def test_pointers_of_git_lfs_are_no_models(model, pointer):
    file(model)
    file(pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    assert f"{pointer} is a pointer of Git LFS and not the file itself. Run: git lfs pull." in refused(model)


def test_a_pointer_that_no_ir_has_for_weights_is_nobodys_business():
    file("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    check_model(file("pytorch_model.onnx"), "openvino", allow_pickle=False)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_a_torch_export_is_read_only_when_asked_for(runtime):
    assert "--allow-pickle" in refused(file("m.pt2"), runtime)
    check_model("m.pt2", runtime, allow_pickle=True)


class Dangerous:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_the_reason_for_refusing_torch_exports_holds(torch_export):
    """Reading one runs code of its author: where it no longer does, the refusal can go."""
    torch = pytest.importorskip("torch")
    with zipfile.ZipFile(torch_export) as good, zipfile.ZipFile("bad.pt2", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if "sample_inputs" in name:
                torch.save(Dangerous(), "payload")
                content = Path("payload").read_bytes()
            bad.writestr(name, content)
    with contextlib.suppress(Exception):  # it fails, and too late
        torch.export.load("bad.pt2")
    assert Path("executed").exists()


@pytest.mark.parametrize(
    ("runtime", "name", "kind"),
    [("onnxruntime", "m.xml", ".onnx"), ("torch", "m.onnx", ".pt2"), ("torch.compile", "m.xml", ".pt2")],
)
def test_runtimes_take_their_own_formats(runtime, name, kind):
    said = refused(file(name), runtime)
    assert f"{runtime} does not read {name}" in said
    assert kind in said


def test_torch_takes_a_reference_to_code():
    check_model("package.module:build", "torch", allow_pickle=False)
    assert "There is no model" in refused("package.module:build", "openvino")
    assert "There is no model" in refused("package/module.py:1x", "torch")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission():
    Path(file("m.xml")).chmod(0)
    assert "may not be read" in refused("m.xml")


def test_inputs_are_archives(tmp_path, save_inputs, weights):
    good = save_inputs(tmp_path / "good.npz", x=weights)
    check_inputs((str(good),), "torch")
    with pytest.raises(InputError, match="There is no input file"):
        check_inputs((str(good), "nope.npz"), "openvino")
    with pytest.raises(InputError, match=r"is not an \.npz file"):
        check_inputs((file("m.npy"),), "openvino")


def test_torch_needs_inputs():
    check_inputs((), "openvino")
    with pytest.raises(InputError, match="needs inputs"):
        check_inputs((), "torch.compile")
