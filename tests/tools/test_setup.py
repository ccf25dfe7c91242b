"""`tools/setup.sh` and `tools/setup.py`, run for real in a checkout of their own with a package made on the spot."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SYSTEM_TOOLS = ("sh", "dirname", "cut")


def make_wheel(folder: Path, name: str, version: str) -> None:
    """A wheel that holds one module with the version in it."""
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{name}-{version}.dist-info/RECORD"
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}")
    files[record] = "\n".join([*lines, f"{record},,"]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


class Checkout:
    """A folder with the setup scripts and requirements of its own; pip sees only the wheels made here."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.root = folder
        self.wheels = folder / "wheels"
        self.wheels.mkdir(parents=True)
        shutil.copytree(project / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        self.require("1.0")
        (folder / "requirements.txt").write_text("-c constraints.txt\nloomdemo\n")
        (folder / "requirements-dev.txt").write_text("-r requirements.txt\n")

    def require(self, version: str) -> None:
        (self.root / "constraints.txt").write_text(f"loomdemo=={version}\n")

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        return subprocess.run(
            [self.root / "tools" / "setup.sh", *arguments],
            env={**base, **offline, **environment},
            capture_output=True,
            text=True,
        )

    def installed_version(self) -> str:
        code = "import loomdemo; print(loomdemo.VERSION)"
        python = self.root / ".venv" / "bin" / "python"
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, project_root: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", project_root)


def test_installs_once_then_only_when_a_pin_changed(checkout: Checkout) -> None:
    make_wheel(checkout.wheels, "loomdemo", "1.0")
    make_wheel(checkout.wheels, "loomdemo", "2.0")

    first = checkout.setup("dev")
    assert (first.returncode, first.stderr) == (0, "")
    assert checkout.installed_version() == "1.0"

    # What dev includes counts as installed too; nothing to do means no word and no work.
    for what in ("dev", "run"):
        again = checkout.setup(what)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    checkout.require("2.0")
    changed = checkout.setup("run")
    assert "Installing requirements.txt" in changed.stdout
    assert checkout.installed_version() == "2.0"

    # The interpreter that made .venv is gone, as after an upgrade of the system.
    (checkout.root / ".venv" / "bin" / "python").unlink()
    healed = checkout.setup("run")
    assert (healed.returncode, healed.stderr) == (0, "")
    assert "Making .venv" in healed.stdout
    assert checkout.installed_version() == "2.0"


def test_a_missing_wheel_is_one_sentence_after_the_end_of_the_log_and_leaves_no_stamp(checkout: Checkout) -> None:
    done = checkout.setup("run")
    assert done.returncode == 1
    *tail, sentence = done.stderr.strip().splitlines()
    assert "There is no build of loomdemo==1.0 for this machine" in sentence
    assert "var/setup.log" in sentence
    assert tail
    assert len(tail) <= 12
    assert "Traceback" not in done.stderr
    assert "loomdemo==1.0" in (checkout.root / "var" / "setup.log").read_text()

    make_wheel(checkout.wheels, "loomdemo", "1.0")
    assert checkout.setup("run").returncode == 0
    assert checkout.installed_version() == "1.0"


def test_an_index_that_cannot_be_reached_is_named_as_such(checkout: Checkout) -> None:
    done = checkout.setup(
        "run", PIP_NO_INDEX="0", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1", PIP_DEFAULT_TIMEOUT="2"
    )
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr.strip().splitlines()[-1]


def test_python_without_ensurepip_names_the_debian_package(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError('ensurepip', name='ensurepip')\n")
    done = checkout.setup("run", PYTHON=sys.executable, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    version = "{}.{}".format(*sys.version_info[:2])
    assert f"apt-get install python{version}-venv" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (checkout.root / ".venv").exists()


def commands_only(folder: Path) -> Path:
    """A PATH with what the shell script itself needs and no Python."""
    folder.mkdir()
    for name in SYSTEM_TOOLS:
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def test_a_python_that_is_too_old_is_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    path = commands_only(tmp_path / "bin")
    old = path / "python3"
    # Answers as Python 3.9 would: the version, and failure of the check for 3.11.
    old.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo "Python 3.9.2"; else exit 1; fi\n')
    old.chmod(0o755)
    done = checkout.setup("run", PATH=str(path))
    assert done.returncode == 1
    assert done.stderr == "Reweave needs Python 3.11 or newer; python3 here is 3.9.2.\n"


def test_no_python_at_all_is_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.setup("run", PATH=str(commands_only(tmp_path / "bin")))
    assert done.returncode == 1
    assert "there is no python3 here" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_chosen_python_that_does_not_run_is_one_sentence(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.setup("run", PYTHON=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stderr == f"Reweave needs Python 3.11 or newer; PYTHON={tmp_path / 'nowhere'} is not that.\n"


def test_a_setup_waits_for_another_one(checkout: Checkout) -> None:
    make_wheel(checkout.wheels, "loomdemo", "1.0")
    assert checkout.setup("run").returncode == 0
    lock = checkout.root / "var" / "setup.lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import fcntl, time; f = open({str(lock)!r}, 'w'); fcntl.flock(f, 2); "
            "print('held', flush=True); time.sleep(1.5)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        waited = checkout.setup("run")
    assert waited.returncode == 0
    assert "Waiting for another setup" in waited.stdout
