import errno
import re

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure as Drawing

from optguide import records
from optguide.errors import ClaimError, RecordsError, StorageError
from optguide.plots.themes import LIGHT
from optguide.records import Recording, take_new_figures

TEXTS = {"alt": "One line that rises.", "caption": "Rising."}


@pytest.fixture(autouse=True)
def nothing_new():
    take_new_figures()


def line(height=2.0):
    def draw():
        drawing = Drawing(figsize=(2, 1))
        drawing.add_subplot().plot([1, height], label="a")
        return drawing

    return draw


def recording(root, *figures, example="measure/x"):
    made = Recording(example, declares=["x.*"], root=root)
    made.add("x.count", 1)
    for name, draw in figures:
        made.figure(name, draw, **TEXTS)
    return made


def svgs(root):
    return {path.name: path.read_bytes() for path in (root / "records" / "measure").glob("*.svg")}


def test_figures_are_published_beside_the_record_in_both_modes(tmp_path):
    recording(tmp_path, ("speed", line())).publish()
    found = records.load(tmp_path)
    figure = found.by_example["measure/x"].figures["speed"]
    assert (figure.alt, figure.caption) == ("One line that rises.", "Rising.")
    light, dark = (found.figure_path("measure/x", "speed", mode) for mode in ("light", "dark"))
    assert re.fullmatch(r"x\.speed\.light\.[0-9a-f]{12}\.svg", light.name)
    assert re.fullmatch(r"x\.speed\.dark\.[0-9a-f]{12}\.svg", dark.name)
    assert b"<svg" in light.read_bytes()
    assert light.read_bytes() != dark.read_bytes()


def test_the_same_drawing_gives_the_same_files(tmp_path):
    recording(tmp_path, ("speed", line())).publish()
    first = svgs(tmp_path)
    recording(tmp_path, ("speed", line())).publish()
    assert svgs(tmp_path) == first
    assert len(first) == 2


def test_two_figures_share_no_ids(tmp_path):
    recording(tmp_path, ("a", line()), ("b", line())).publish()
    ids = [set(re.findall(rb'<path id="(\w{8,})"', svg)) for svg in svgs(tmp_path).values()]
    assert all(ids)
    assert sum(map(len, ids)) == len(set.union(*ids))


def test_files_of_the_previous_publication_go(tmp_path):
    recording(tmp_path, ("speed", line()), ("more", line())).publish()
    before = svgs(tmp_path)
    recording(tmp_path, ("speed", line(3.0))).publish()
    assert len(svgs(tmp_path)) == 2
    assert not svgs(tmp_path).keys() & before.keys()


def test_light_drawing_is_returned_and_settings_are_restored(tmp_path):
    settings, colours = dict(mpl.rcParams), []

    def draw():
        colours.append(mpl.rcParams["text.color"])
        return line()()

    drawing = Recording("measure/x", declares=[], root=tmp_path).figure("speed", draw, **TEXTS)
    assert isinstance(drawing, Drawing)
    assert colours == [LIGHT.ink]
    assert dict(mpl.rcParams) == settings


def test_pyplot_keeps_the_light_figure_open_only(tmp_path):
    import matplotlib.pyplot as plt

    plt.close("all")

    def draw():
        return plt.figure()

    drawing = Recording("measure/x", declares=[], root=tmp_path).figure("speed", draw, **TEXTS)
    assert [plt.figure(number) for number in plt.get_fignums()] == [drawing]
    plt.close("all")


def test_a_scraper_takes_each_figure_once_and_before_publication(tmp_path):
    made = recording(tmp_path, ("a", line()), ("b", line()))
    first, second = take_new_figures()
    assert (first.name, first.example, first.alt, first.caption) == ("a", "measure/x", *TEXTS.values())
    assert second.name == "b"
    assert b"<svg" in first.light_path.read_bytes()
    assert b"<svg" in first.dark_path.read_bytes()
    assert take_new_figures() == []
    made.figure("c", line(), **TEXTS)
    assert [staged.name for staged in take_new_figures()] == ["c"]
    assert not (tmp_path / "records").exists()


def test_names_and_texts_are_checked(tmp_path):
    made = recording(tmp_path, ("speed", line()))
    with pytest.raises(RecordsError, match="recorded twice"):
        made.figure("speed", line(), **TEXTS)
    with pytest.raises(RecordsError, match="no name of a figure"):
        made.figure("../speed", line(), **TEXTS)
    with pytest.raises(RecordsError, match="lacks its alt text"):
        made.figure("other", line(), alt="", caption="c")


def test_full_disk_while_drawing_is_a_storage_error(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    made = Recording("measure/x", declares=[], root=tmp_path)
    monkeypatch.setattr(Drawing, "savefig", full)
    with pytest.raises(StorageError, match="No space left"):
        made.figure("speed", line(), **TEXTS)
    assert take_new_figures() == []


def test_errors_of_the_drawing_function_stay_what_they_are(tmp_path):
    def draw():
        raise FileNotFoundError("the example's own")

    with pytest.raises(FileNotFoundError, match="own"):
        Recording("measure/x", declares=[], root=tmp_path).figure("speed", draw, **TEXTS)


def test_missing_figures_are_told_apart_from_unknown_ones(tmp_path):
    recording(tmp_path, ("speed", line())).publish()
    found = records.load(tmp_path)
    with pytest.raises(ClaimError, match="figure 'sped'"):
        found.figure_path("measure/x", "sped", "light")
    with pytest.raises(ClaimError, match="'measure/y'"):
        found.figure_path("measure/y", "speed", "light")
    found.figure_path("measure/x", "speed", "dark").unlink()
    with pytest.raises(RecordsError, match="is missing"):
        found.figure_path("measure/x", "speed", "dark")
