"""Upgrading OpenVINO is one line: no other file names the release in an address."""

import re
import subprocess
from pathlib import Path

import pytest

from optguide.openvino_release import DOCUMENTATION, RELEASE, documentation

ROOT = Path(__file__).parents[1]
ARCHIVED = {"2022.1", "2023.0", "2024"}
"""Releases whose pages the guide quotes because later ones dropped what they said."""


@pytest.fixture(scope="module")
def pages():
    """Every text of the repository that may hold an address, by path."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    files = [ROOT / name for name in listed.stdout.splitlines()]
    texts = (".py", ".md", ".rst", ".toml", ".jinja", ".html", ".yml")
    return {
        path: path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in texts and path.is_file() and path.name != Path(__file__).name
    }


def test_no_file_names_the_release_in_an_address(pages):
    address = re.compile(r"docs\.openvino\.ai/(\d{4}(?:\.\d+)?|latest|nightly)\b")
    named = {path: set(address.findall(text)) - ARCHIVED for path, text in pages.items()}
    assert {path.name: releases for path, releases in named.items() if releases} == {}


def test_links_to_the_documentation_are_paths(pages):
    links = [link for text in pages.values() for link in re.findall(r"\]\(ov:([^)]*)\)", text)]
    assert len(links) > 50
    assert [link for link in links if not re.fullmatch(r"[\w-]+(/[\w-]+)*\.html", link)] == []


def test_documentation_joins_paths_and_leaves_addresses():
    assert documentation("a/b.html#c") == f"{DOCUMENTATION}a/b.html#c"
    assert documentation("https://example.org/x") == "https://example.org/x"


def test_dependency_admits_the_release():
    assert f'"openvino>={RELEASE}.' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
