"""What the documents say holds: links lead somewhere, commands exist, tables are complete."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from inpainting.catalog import ENTRIES, WEIGHTS_DIR
from inpainting.weights.cards import comparison

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md", "THIRD_PARTY.md", "docs")


def pages(root: Path) -> list[Path]:
    """Every page of documentation."""
    return [page for name in PAGES for page in ([root / name] if name.endswith(".md") else (root / name).rglob("*.md"))]


def environment_read(root: Path) -> set[str]:
    """Names of all environment variables that the studio's own readers ask for."""
    sources = (path.read_text() for room in ("webapp", "workers") for path in (root / room).rglob("*.py"))
    return {name for text in sources for name in re.findall(r"\benv_[a-z]+\(\s*\"([A-Z0-9_]+)\"", text)}


def test_links_lead_to_files_of_the_checkout(project_root: Path) -> None:
    broken = {
        (page.name, target)
        for page in pages(project_root)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if not target.startswith("http") and not (page.parent / target).exists()
    }
    assert broken == set()


def test_the_readme_has_the_figures_of_the_model_cards(project_root: Path) -> None:
    table = comparison(WEIGHTS_DIR)
    assert table.count("\n") >= 4
    assert table in (project_root / "README.md").read_text()


def test_every_model_of_the_catalogue_has_a_row_in_the_readme(project_root: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (project_root / "README.md").read_text(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(entry.key for entry in ENTRIES)


def test_every_make_target_that_is_named_exists(project_root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (project_root / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        name
        for page in pages(project_root)
        for name in re.findall(r"(?:^    |`)make (?:-\w )?([a-z]+)", page.read_text(), flags=re.MULTILINE)
    }
    assert {"run", "test", "lint", "bench", "setup"} <= named
    assert named <= targets


def test_make_help_lists_what_people_call(project_root: Path) -> None:
    shown = subprocess.run(["make", "help"], cwd=project_root, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\w+)", shown, flags=re.MULTILINE) == [
        "help", "run", "setup", "test", "lint", "bench", "pins", "clean",
    ]  # fmt: skip


def test_every_setting_is_documented_and_nothing_else(project_root: Path) -> None:
    """`docs/settings.md` names in its tables just what is read."""
    text = (project_root / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", text, flags=re.MULTILINE))
    read = environment_read(project_root)
    assert read - documented == set()


@pytest.mark.parametrize("name", ["requirements-web.txt", "requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_and_agree_with_the_constraints(project_root: Path, name: str) -> None:
    def pins(text: str) -> dict[str, str]:
        found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]+\])?==(\S+)$", text, flags=re.MULTILINE)
        return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}

    text = (project_root / name).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-"))]
    direct = pins(text)
    assert len(direct) == len(lines)
    constraints = pins((project_root / "constraints.txt").read_text())
    assert {package: constraints.get(package) for package in direct} == direct
