"""Make `.venv` and install the pinned requirements into it, only when they changed.

    python tools/setup.py run      what `make run` needs
    python tools/setup.py dev      that, and what tests and lint need

Works with the standard library alone. What cannot work ends with one sentence on stderr and status 1; pip's whole
output is in `var/setup.log`. pip's own settings (PIP_INDEX_URL, PIP_FIND_LINKS, a pip.conf, …) are honoured.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OLDEST_PYTHON = (3, 11)
LISTS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}
TAIL_LINES = 12

# What pip says → what we say, in the order of how specific it is.
_PIP_TROUBLE = (
    (r"No space left on device", "The disk is full."),
    (
        r"(?:Temporary failure in name resolution|Failed to establish a new connection|Network is unreachable"
        r"|Connection refused|Read timed out|ConnectTimeout|ProxyError)",
        "The package index cannot be reached; check the network and pip's settings.",
    ),
    (
        r"(?:No matching distribution found for|Could not find a version that satisfies the requirement"
        r"|The user requested \(constraint\)) (\S+)",
        "There is no build of {0} for this machine (Python {python} on {machine}) where pip looks.",
    ),
    (r"Failed building wheel for (\S+)", "{0} has no wheel for this machine and could not be built from source."),
    (r"THESE PACKAGES DO NOT MATCH THE HASHES", "A downloaded package is not the one that was pinned."),
)


class SetupError(Exception):
    """What is wrong, in one sentence."""


def requirement_files(root: Path, name: str) -> list[Path]:
    """The file and all that it includes by `-r` or `-c`, each once, included ones first."""
    found: list[Path] = []

    def add(path: Path) -> None:
        if path in found:
            return
        if not path.is_file():
            raise SetupError(f"{path.name} is missing from the checkout.")
        for included in re.findall(r"^\s*-[rc]\s*(\S+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            add(path.parent / included)
        found.append(path)

    add(root / name)
    return found


def fingerprint(root: Path, name: str, python: str) -> str:
    """Changes when any of the pinned versions does, or the Python they were installed for."""
    digest = hashlib.sha256(python.encode())
    for path in requirement_files(root, name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def stamp_file(venv: Path, name: str) -> Path:
    """Holds the fingerprint of what was last installed from the list `name`."""
    return venv / f".installed-{Path(name).stem}"


def venv_python(venv: Path) -> str | None:
    """`3.x` of a working `.venv` that is new enough, else None (also after the system's Python went away)."""
    code = "import sys, pip; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([venv / "bin" / "python", "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def make_venv(venv: Path) -> None:
    """Create `.venv` afresh with the running Python."""
    version = "{}.{}".format(*sys.version_info[:2])
    for module in ("venv", "ensurepip"):
        try:
            importlib.import_module(module)
        except ImportError:
            raise SetupError(
                f"Python {version} here cannot make virtual environments, its {module} module is not installed: "
                f"on Debian or Ubuntu, apt-get install python{version}-venv (as root) adds it."
            ) from None
    print(f"Making .venv with Python {version} …", flush=True)
    # From inside an old .venv the new one would point at itself.
    base = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run([base, "-m", "venv", "--clear", venv], capture_output=True, text=True)
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip().splitlines()
        raise SetupError(f".venv could not be made: {words[-1] if words else 'python -m venv failed'}")


def explain(log_text: str) -> str:
    """One sentence about why pip failed."""
    facts = {"python": "{}.{}".format(*sys.version_info[:2]), "machine": f"{sys.platform}, {os.uname().machine}"}
    for pattern, sentence in _PIP_TROUBLE:
        match = re.search(pattern, log_text)
        if match:
            return sentence.format(*match.groups(), **facts)
    return "pip could not install the requirements."


def install(root: Path, venv: Path, name: str) -> None:
    """Run pip, its output into the log; on a terminal the current step is shown on one line."""
    log = root / "var" / "setup.log"
    log.parent.mkdir(exist_ok=True)
    print(f"Installing {name} (the first time this takes some minutes; the log is var/setup.log) …", flush=True)
    python = str(venv / "bin" / "python")
    command = [python, "-m", "pip", "install", "--no-input", "--progress-bar=off", "-r", str(root / name)]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    live = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns - 1
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as pip,
    ):
        try:
            for line in pip.stdout or ():
                file.write(line)
                tail.append(line.rstrip())
                if live:
                    print(f"\r\x1b[K{line.strip()[:width]}", end="", flush=True)
        finally:
            if live:
                print("\r\x1b[K", end="", flush=True)
    if pip.returncode != 0:
        print("\n".join(f"  {line}" for line in tail), file=sys.stderr)
        raise SetupError(f"{explain(log.read_text(encoding='utf-8'))} The whole log is var/setup.log.")


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Two setups of the same checkout (`make run` beside `make test`) take turns."""
    folder = root / "var"
    folder.mkdir(exist_ok=True)
    with (folder / "setup.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another setup of this folder …", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure(root: Path, what: str) -> bool:
    """Bring `.venv` up to date for `what` ("run" or "dev"); False when there was nothing to do."""
    name = LISTS[what]
    venv = root / ".venv"
    with alone(root):
        python = venv_python(venv)
        stamp = stamp_file(venv, name)
        if python and stamp.is_file() and stamp.read_text() == fingerprint(root, name, python):
            return False
        began = time.monotonic()
        if python is None:
            make_venv(venv)
            python = "{}.{}".format(*sys.version_info[:2])
        install(root, venv, name)
        for path in requirement_files(root, name):
            stamp_file(venv, path.name).write_text(fingerprint(root, path.name, python))
        print(f"Installed in {time.monotonic() - began:.0f} s.", flush=True)
        return True


def main(arguments: list[str]) -> int:
    """The command line; the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        print("Reweave needs Python 3.11 or newer.", file=sys.stderr)
        return 1
    if len(arguments) != 1 or arguments[0] not in LISTS:
        print(f"Usage: setup.py {'|'.join(LISTS)}", file=sys.stderr)
        return 2
    try:
        ensure(Path(__file__).resolve().parent.parent, arguments[0])
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next start goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
