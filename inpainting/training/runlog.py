"""Numbers of a run: a CSV that survives resumes, and the same curves for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter


class RunLog:
    """Appends to `metrics.csv` (long format: step, seconds, name, value) and to `tensorboard/`."""

    def __init__(self, out: Path) -> None:
        path = out / "metrics.csv"
        fresh = not path.exists()
        self._file = path.open("a", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file)
        if fresh:
            self._csv.writerow(["step", "seconds", "name", "value"])
        self._board = SummaryWriter(str(out / "tensorboard"))

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Add one row a value."""
        for name, value in values.items():
            self._csv.writerow([step, f"{seconds:.1f}", name, f"{value:.6g}"])
            self._board.add_scalar(name, value, step)
        self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
        self._board.close()
