"""Tables on the terminal, numbers in var/bench/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("Django", "celery", "channels", "torch", "numpy", "opencv-python-headless", "pypatchmatch", "scikit-image")


class BenchError(Exception):
    """Why nothing can be measured, in a sentence."""


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "commit": commit.stdout.strip(),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])


def save(name: str, numbers: dict[str, Any]) -> Path:
    """Write `numbers` with the machine and the time to var/bench/NAME-TIME.json."""
    now = datetime.now(tz=UTC)
    path = ROOT / "var" / "bench" / f"{name}-{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"at": now.isoformat(), "machine": machine(), **numbers}, indent=2) + "\n")
    return path


def shown_path(path: Path) -> str:
    """Relative to the checkout, for printing."""
    return str(path.relative_to(ROOT))
