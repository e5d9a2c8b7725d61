"""How the examples are run: settings for sphinx-gallery, the order of chapters, and the lock around it.

``python -m optguide.guide.sphinxext.gallery`` succeeds if nobody measures on this machine now.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from docutils import nodes

from optguide.chapters import place_of_chapter, place_of_example
from optguide.errors import Busy, OptGuideError, RecordsError
from optguide.guide import build
from optguide.guide.sphinxext.links import page_link
from optguide.guide.sphinxext.machine import record_noise, recorded_noise
from optguide.guide.sphinxext.pages import GuideError, load
from optguide.machine import measuring_lock
from optguide.paths import impersonal
from optguide.records import take_new_figures
from optguide.records.recording import BUILD_VARIABLE
from optguide.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sphinx.application import Sphinx


def gallery_settings(root: Path, *, run: bool, names: Sequence[str] = ()) -> dict[str, Any]:
    """The value of ``sphinx_gallery_conf``.

    :param root: the checkout.
    :param run: whether to run the examples. Without, pages of earlier runs stay, and an example that has
        changed since shows its code without output.
    :param names: run only these examples, ``chapter/name``, and go on behind one that fails.
    """
    scripts = "|".join(re.escape(name).replace("/", r"[\\/]plot_") + r"\.py$" for name in names)
    return {
        "examples_dirs": [str(root / "examples")],
        "gallery_dirs": ["gallery"],
        "filename_pattern": rf"[\\/](?:{scripts or 'plot_'})",
        "plot_gallery": run,
        # Without a state of the build nobody would learn which numbers are missing.
        "abort_on_example_error": not names,
        "subsection_order": f"{__name__}.chapter_place",
        "within_subsection_order": f"{__name__}.example_place",
        # An SVG like the thumbnails that take its place; sphinx-gallery would prefer a PNG to them for ever.
        "default_thumb_file": str(root / "conf" / "_static" / "logo.svg"),
        "image_scrapers": (f"{__name__}.figures", "matplotlib"),
        "reset_modules": ("matplotlib", f"{__name__}.forget_figures", f"{__name__}.note_example"),
        "reset_modules_order": "both",
        # What an example shows it prints or draws; the repr of its last line would only repeat it.
        "capture_repr": ("_repr_html_",),
        # Both disturb what is being measured, and parallel runs set OMP_NUM_THREADS too.
        "parallel": False,
        "show_memory": False,
        # Running times of scripts are no measurements, and that page would fetch scripts from elsewhere.
        "write_computation_times": False,
        "min_reported_time": 10**9,
        "show_signature": False,
        "remove_config_comments": True,
        "download_all_examples": False,
        "inspect_global_variables": False,
    }


def chapter_place(folder: str) -> tuple[int, str]:
    """Sorting key of a chapter's folder."""
    return place_of_chapter(PurePath(folder).name)


def example_place(file: str) -> tuple[int, str]:
    """Sorting key of an example's file."""
    return place_of_example(PurePath(file).stem.removeprefix("plot_"))


def figures(block: Any, variables: dict[str, Any], settings: dict[str, Any]) -> str:
    """Scraper: show recorded figures the way guide pages do."""
    return "".join(
        f"\n.. measured-figure:: {staged.example}:{staged.name}\n\n" for staged in take_new_figures()
    )


def _draw_thumbnails(gallery: Path) -> None:
    """Make the first figure of each record the thumbnail of its example, whether or not that has run now."""
    records = load()
    for example, record in records.by_example.items():
        chapter, name = example.split("/")
        thumbnail = gallery / chapter / "images" / "thumb" / f"sphx_glr_plot_{name}_thumb.svg"
        if record.figures and thumbnail.is_file():
            with storage_errors(thumbnail.parent):
                shutil.copyfile(records.figure_path(example, next(iter(record.figures)), "light"), thumbnail)


def forget_figures(settings: dict[str, Any], file: str) -> None:
    """Reset between examples: figures of one that failed must not appear in the next."""
    take_new_figures()


def note_example(settings: dict[str, Any], file: str, when: str) -> None:
    """Keep in the state of the build which example runs."""
    stem = PurePath(file).stem.removeprefix("plot_")
    names = os.environ.get(build.EXAMPLES_VARIABLE, "").split()
    example = next((name for name in names if name.endswith(f"/{stem}")), None)
    if example:
        (build.running if when == "before" else build.finished)(example)


def from_repository(requirement: str, repository: str) -> str:
    """A requirement such as ``optguide[models]`` with the place from which pip gets the package.

    :param repository: owner and name.
    """
    return f"{requirement} @ git+https://github.com/{repository}"


def _complete_install_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Make the install line of an example one that a reader can paste."""
    if not app.env.current_document.docname.startswith("gallery/"):
        return
    repository = "{github_user}/{github_repo}".format_map(app.config.html_context)
    for command in list(doctree.findall(nodes.literal)):
        text = " ".join(command.astext().split())
        if text.startswith('pip install "optguide['):
            text = from_repository(text.removesuffix('"'), repository) + '"'
            how = page_link("install", "", "how")
            command.replace_self([nodes.literal("", text), nodes.Text(" ("), how, nodes.Text(")")])


def setup(app: Sphinx) -> None:
    """Hold the machine while the examples run, and let their pages link to their scripts."""
    held = ExitStack()

    def hold(app: Sphinx) -> None:
        if app.config.sphinx_gallery_conf["plot_gallery"]:
            with plain_errors():
                held.enter_context(measuring_lock("nox -s docs", lend=True))  # examples run the command
                if recorded_noise() is None:
                    record_noise()
            # What one run of the gallery records belongs together, also without nox.
            os.environ.setdefault(BUILD_VARIABLE, uuid.uuid4().hex)

    def release(app: Sphinx) -> None:
        held.close()
        with plain_errors():
            _note_failures(app.config.sphinx_gallery_conf)
            if not load().by_example and build.load_state() is None:
                raise RecordsError("There are no records to show.", "Run `nox -s docs` to measure.")
            _draw_thumbnails(Path(app.srcdir) / "gallery")
        if os.environ.get(build.EXAMPLES_VARIABLE):
            raise SystemExit(0)  # the build writes pages once it has measured more

    # sphinx-gallery fills its settings at 10 and runs at the default of 500.
    app.connect("builder-inited", hold, priority=400)
    app.connect("builder-inited", release, priority=600)
    app.connect("doctree-read", _complete_install_lines)
    app.connect("html-page-context", _edit_script, priority=900)


def _note_failures(settings: dict[str, Any]) -> None:
    """Keep what failed in the state of the build; without one it is left to sphinx-gallery to fail."""
    if settings["abort_on_example_error"]:
        return
    for script, traceback in settings["failing_examples"].items():
        path = PurePath(script)
        reason = impersonal(traceback.strip().splitlines()[-1])
        build.failed(f"{path.parent.name}/{path.stem.removeprefix('plot_')}", reason)
    settings["failing_examples"].clear()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Stop the build with the message of an error of ours."""
    try:
        yield
    except Busy as error:
        # Its remedy names an option of the command.
        raise GuideError(f"{error.message} Start again when it has ended.") from error
    except OptGuideError as error:
        raise GuideError(str(error)) from error


def _edit_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """A gallery page is generated: what can be edited is the script, and the header of a chapter."""
    if not page.startswith("gallery/") or "github_user" not in context:
        return
    path = PurePath(page.removeprefix("gallery/"))
    script = path.with_name("GALLERY_HEADER.rst") if path.name == "index" else path.with_suffix(".py")
    owner = f"{context['github_user']}/{context['github_repo']}"
    address = f"https://github.com/{owner}/edit/{context['github_version']}/examples/{script.as_posix()}"
    context["get_edit_provider_and_url"] = lambda: ("GitHub", address)


if __name__ == "__main__":
    with plain_errors(), measuring_lock("nox -s docs"):
        pass
