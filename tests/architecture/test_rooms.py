"""The rooms look only where ARCHITECTURE.md lets them, when read and when run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

# Makes `import torch` fail as on a machine without it, also for imports inside functions.
BLOCK_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" or name.startswith("torch."):
            raise ModuleNotFoundError("torch is not installed here", name=name)
sys.meta_path.insert(0, NoTorch())
"""
SETUP_DJANGO = "import django; django.setup()"


def run_python(code: str, root: Path, var: Path) -> str:
    """Run code in a fresh interpreter; its output."""
    environment = {**os.environ, "REWEAVE_VAR": str(var), "DJANGO_SETTINGS_MODULE": "webapp.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Who imports whom, imports inside functions included."""
    return grimp.build_graph("inpainting", "webapp", "workers", include_external_packages=True)


def imported_by(imports: grimp.ImportGraph, room: str) -> set[tuple[str, str]]:
    """Pairs (importer in the room, imported module outside it)."""
    inside = {room, *imports.find_descendants(room)}
    return {
        (module, target)
        for module in inside
        for target in imports.find_modules_directly_imported_by(module)
        if target not in inside
    }


def test_the_asgi_application_starts_without_loading_torch(project_root: Path, tmp_path: Path) -> None:
    loaded = run_python(
        "import sys, webapp.asgi; print([name for name in sys.modules if name.split('.')[0] == 'torch'])",
        project_root,
        tmp_path,
    )
    assert loaded == "[]"


def test_the_asgi_application_and_all_its_urls_work_where_torch_is_not_installed(
    project_root: Path, tmp_path: Path
) -> None:
    code = BLOCK_TORCH + (
        "import webapp.asgi\n"
        "from django.urls import get_resolver\n"
        "from django.core.management import call_command\n"
        "call_command('check')\n"
        "def count(patterns):\n"
        "    return sum(count(p.url_patterns) if hasattr(p, 'url_patterns') else 1 for p in patterns)\n"
        "print(count(get_resolver().url_patterns))"
    )
    assert int(run_python(code, project_root, tmp_path).splitlines()[-1]) > 0


DOORS = (
    "inpainting.catalog",
    "inpainting.imaging",
    "inpainting.evaluation.contestants",
    "inpainting.evaluation.measures",
    "inpainting.evaluation.peers",
    "inpainting.evaluation.protocols",
    "inpainting.evaluation.statistics",
)


@pytest.mark.parametrize("door", DOORS)
def test_the_doors_of_the_library_open_where_torch_is_not_installed(
    door: str, project_root: Path, tmp_path: Path
) -> None:
    code = BLOCK_TORCH + f"import {door}; print({door}.__name__)"
    assert run_python(code, project_root, tmp_path) == door


def test_torch_is_really_blocked_by_the_tests_above(project_root: Path, tmp_path: Path) -> None:
    code = BLOCK_TORCH + "try:\n    import torch\nexcept ModuleNotFoundError as error:\n    print(error)"
    assert run_python(code, project_root, tmp_path) == "torch is not installed here"


def test_webapp_uses_the_library_by_its_doors_only(imports: grimp.ImportGraph) -> None:
    trespassers = {
        (importer, target)
        for importer, target in imported_by(imports, "webapp")
        if target.split(".")[0] == "inpainting" and not any(target == d or target.startswith(f"{d}.") for d in DOORS)
    }
    assert trespassers == set()


def test_training_is_imported_by_nothing_but_the_command_lines_entry(imports: grimp.ImportGraph) -> None:
    inside = {name for name in imports.modules if (name + ".").startswith("inpainting.training.")}
    outside = {
        (importer, name)
        for name in inside
        for importer in imports.find_modules_that_directly_import(name)
        if importer not in inside
    }
    assert {importer for importer, _ in outside} <= {"inpainting.__main__"}


def test_no_room_imports_tests_tools_or_the_benchmark(imports: grimp.ImportGraph) -> None:
    strays = {
        (importer, target)
        for room in ("inpainting", "webapp", "workers")
        for importer, target in imported_by(imports, room)
        if target.split(".")[0] in {"tests", "tools", "bench", "pytest", "hypothesis"}
    }
    assert strays == set()


def test_every_python_folder_of_a_room_is_a_package(project_root: Path) -> None:
    """A folder without __init__.py would escape the import contracts."""
    missing = {
        str(folder.relative_to(project_root))
        for room in ("inpainting", "webapp", "workers")
        for folder in {path.parent for path in (project_root / room).rglob("*.py")}
        if not (folder / "__init__.py").is_file()
    }
    assert missing == set()


def test_the_frontend_holds_no_python(project_root: Path) -> None:
    assert list((project_root / "frontend").rglob("*.py")) == []
