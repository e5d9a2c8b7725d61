"""A real photograph for pipelines that begin with a file."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from optguide.errors import EnvironmentMissing

__all__ = ["sample_image"]


def sample_image() -> Path:
    """The JPEG photograph of 640x427 pixels that scikit-learn carries.

    :raises EnvironmentMissing: scikit-learn is not installed.
    """
    spec = find_spec("sklearn")  # importing the package would take a second
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentMissing(
            "The package scikit-learn is not installed.", 'Run: pip install "optguide[frameworks,models]"'
        )
    return Path(spec.submodule_search_locations[0], "datasets", "images", "china.jpg")
