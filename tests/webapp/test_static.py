"""Collected static files: hashed names all the way through the module graph."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

STATIC_IMPORT = re.compile(r"^\s*(?:import|export)\b[^;()]*?[\"'](\.[^\"']+\.js)[\"']\s*;", re.MULTILINE)
HASHED = re.compile(r"\.[0-9a-f]{12}\.js$")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("static")
    storages = {**settings.STORAGES, "staticfiles": {"BACKEND": "webapp.staticfiles.StudioStaticFiles"}}
    with override_settings(STATIC_ROOT=root, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root


def test_every_import_between_modules_names_a_hashed_file_that_exists(collected: Path) -> None:
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    ours = [name for name in names if name.startswith("js/") and name.endswith(".js")]
    imports = 0
    for name in ours:
        module = collected / names[name]
        for target in STATIC_IMPORT.findall(module.read_text()):
            imports += 1
            assert HASHED.search(target), f"{name} imports {target}"
            assert (module.parent / target).is_file(), f"{name} imports {target}, which is not there"
    assert imports > 20


def test_the_modules_still_say_what_they_said(collected: Path) -> None:
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    for name in (name for name in names if name.startswith("js/") and name.endswith(".js")):
        source = (settings.BASE_DIR / "frontend" / "static" / name).read_text()
        served = (collected / names[name]).read_text()
        without_hashes = re.sub(r"\.[0-9a-f]{12}(?=\.js)", "", served)
        assert re.sub(r"[\s\"';]", "", without_hashes) == re.sub(r"[\s\"';]", "", source)
