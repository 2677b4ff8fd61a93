"""Promises of the package as a whole: what an import costs, and that the same fact is the same everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import cryopick_napari

ROOT = Path(__file__).parents[1]
HEAVY = ("qtpy", "napari", "PyQt5", "PySide6", "magicgui", "torch")


@pytest.mark.parametrize("module", ["cryopick_napari", "cryopick_napari.cli"])
def test_importing_brings_neither_the_window_nor_torch(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_only_the_window_names_napari_and_qt():
    imports = re.compile(r"^\s*(import|from)\s+(napari|qtpy|magicgui|superqt|PyQt\d|PySide\d|vispy)\b", re.M)
    package = ROOT / "cryopick_napari"
    outside = (path for path in package.rglob("*.py") if not path.is_relative_to(package / "gui"))
    assert [path.name for path in outside if imports.search(path.read_text(encoding="utf-8"))] == []


def test_the_manifest_is_valid_and_its_commands_exist():
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(ROOT / "napari.yaml")
    assert manifest.name == "cryopick-napari"
    pytest.importorskip("napari")
    manifest.validate_imports()


@pytest.mark.skipif((ROOT / "PKG-INFO").exists(), reason="a source distribution leaves one of the links out")
def test_links_lead_into_the_package():
    for name in ("napari.yaml", "resources"):
        assert (ROOT / name).is_symlink()
        assert (ROOT / name).resolve() == ROOT / "cryopick_napari" / name


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert citation
    assert project == citation[1] == cryopick_napari.__version__ == version("cryopick-napari")
    assert f"## [{project}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
