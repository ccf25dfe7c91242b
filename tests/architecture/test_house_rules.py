"""Rules that no linter knows: size of files, words that may not appear, docstrings, who writes a job's status."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

LONGEST_FILE = 420
CODE = {".py", ".js", ".mjs", ".css", ".html", ".sh"}
TEXT = CODE | {".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".conf", ".Dockerfile", ".example", ""}

# Put together here so that this file does not contain what it looks for.
FORBIDDEN = [
    "/wo" + "rk/",
    "/ro" + "ot/",
    "../sha" + "red",
    "TO" + "DO",
    "FIX" + "ME",
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb." + "debian.org",
    "mark." + "skip",
    "mark." + "xfail",
    "pytest." + "skip",
    "pytest." + "xfail",
]
BARE = re.compile(r"#\s*(?:noqa(?!:)|type:\s*ignore(?!\[))")


def tracked(root: Path, suffixes: set[str]) -> list[Path]:
    """Files in version control, or about to be, of these kinds."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [root / name for name in names if name]
    return [path for path in paths if path.suffix in suffixes and path.is_file() and not path.is_symlink()]


def read(path: Path) -> str | None:
    """The file's text, None for binary content without a suffix."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.fixture(scope="module")
def python_files() -> list[tuple[Path, ast.Module]]:
    """Every module of the rooms with its syntax tree, migrations aside."""
    root = Path(__file__).resolve().parents[2]
    return [
        (path.relative_to(root), ast.parse(path.read_text(encoding="utf-8")))
        for path in tracked(root, {".py"})
        if path.relative_to(root).parts[0] in {"inpainting", "webapp", "workers"} and "migrations" not in path.parts
    ]


def test_no_file_grows_too_long(project_root: Path) -> None:
    long = {
        str(path.relative_to(project_root)): lines
        for path in tracked(project_root, CODE)
        if (lines := len((read(path) or "").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_no_forbidden_words(project_root: Path) -> None:
    found = {
        (str(path.relative_to(project_root)), word)
        for path in tracked(project_root, TEXT)
        for word in FORBIDDEN
        if word in (read(path) or "")
    }
    assert found == set()


def test_checks_are_silenced_by_name_only(project_root: Path) -> None:
    found = {
        f"{path.relative_to(project_root)}:{number}"
        for path in tracked(project_root, {".py"})
        for number, line in enumerate((read(path) or "").splitlines(), start=1)
        if BARE.search(line)
    }
    assert found == set()


def test_the_pattern_for_silenced_checks_finds_them() -> None:
    assert BARE.search("x = 1  # no" + "qa")
    assert BARE.search("x = 1  # type: " + "ignore")
    assert not BARE.search("x = 1  # no" + "qa: E501")
    assert not BARE.search("x = 1  # type: " + "ignore[arg-type]")


def test_public_functions_and_classes_of_the_library_and_the_services_are_documented(
    python_files: list[tuple[Path, ast.Module]],
) -> None:
    bare = {
        f"{path}:{node.lineno} {node.name}"
        for path, tree in python_files
        if path.parts[0] in {"inpainting", "workers"} or "services" in (path.stem, path.parent.name)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    }
    assert bare == set()


def test_only_states_writes_the_status_of_a_job(python_files: list[tuple[Path, ast.Module]]) -> None:
    """No `job.status = …` and no `.update(status=…)` outside webapp/jobs/states.py."""

    def is_self(node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == "self"

    writers = set()
    for path, tree in python_files:
        if path.parts[0] == "inpainting" or path.as_posix() == "webapp/jobs/states.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
                if any(keyword.arg == "status" for keyword in node.keywords):
                    writers.add(f"{path}:{node.lineno}")
            elif isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(t, ast.Attribute) and t.attr == "status" and not is_self(t.value) for t in targets):
                    writers.add(f"{path}:{node.lineno}")
    assert writers == set()
