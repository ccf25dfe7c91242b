"""The folder of one evaluation: what is done stays done, whenever the process is killed.

Each result and each row is a file of its own that appears whole or not at all. A row remembers what it was made from
(photo, hole, model, parameters, weights, seed, revision of the measures); one made from something else is absent.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpainting.evaluation.cases import Case
from inpainting.evaluation.contestants import Contestant
from inpainting.evaluation.frechet import Features
from inpainting.evaluation.measuring import REVISION, Row, pack, unpack
from inpainting.files import UsageError, write_atomically
from inpainting.imaging import Photo, decode, encode, encode_mask

RGB = NDArray[np.uint8]
_PLAN = "plan.json"


class Store:
    """Files below one folder: ``pictures/CASE/*.png``, ``work/CASE/*.json``, ``work/plan.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = folder / "pictures"
        self._work = folder / "work"

    def claim(self, plan: dict[str, Any], *, overwrite: bool) -> None:
        """Begin or continue: write down what is evaluated, or check that it is what this folder is about.

        Models may be added and taken away. Raises `UsageError` when the folder holds something else.
        """
        path = self._work / _PLAN
        if path.is_file() and not overwrite:
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                before = {}
            changed = sorted(key for key in plan.keys() | before.keys() if plan.get(key) != before.get(key))
            if changed:
                raise UsageError(
                    f"{self.folder} holds an evaluation with another {' and '.join(changed)}. Choose another folder, "
                    "or give --overwrite to evaluate anew into this one."
                )
        elif not path.is_file() and self.folder.is_dir() and any(self.folder.iterdir()) and not overwrite:
            raise UsageError(f"{self.folder} is not empty and holds no evaluation. Choose another folder.")
        write_atomically(path, (json.dumps(plan, indent=1, ensure_ascii=False) + "\n").encode())
        for left in self.folder.rglob(".*.part"):  # of writes that were cut off
            left.unlink(missing_ok=True)

    def add_case(self, case: Case, facts: dict[str, Any], cells: Features, inception: Features | None) -> None:
        """Keep the truth, its hole and what the networks see in it; nothing is written when it is there already."""
        path = self._work / case.id / "truth.json"
        folder = self.pictures / case.id
        known = self._read(path)
        wanted = {**facts, "revision": REVISION}
        if known is not None and known["facts"] == wanted and (known["inception"] is None) == (inception is None):
            return
        _write(folder / "truth.png", png(case.truth))
        _write(folder / "hole.png", encode_mask(case.hole))
        packed = {
            "facts": wanted,
            "cells": pack(cells),
            "inception": None if inception is None else pack(inception),
        }
        _write(path, json.dumps(packed).encode())

    def case_facts(self, case_id: str) -> dict[str, Any]:
        """What `add_case` was given, without the features."""
        known = self._read(self._work / case_id / "truth.json")
        if known is None:
            raise UsageError(f"{self.folder} has lost what it knew of {case_id}. Run the evaluation again.")
        facts: dict[str, Any] = known["facts"]
        return facts

    def truth_features(self, case_id: str) -> tuple[Features, Features | None]:
        """Cells and Inception features of the truth."""
        known = self._read(self._work / case_id / "truth.json")
        if known is None:
            raise UsageError(f"{self.folder} has lost what it knew of {case_id}. Run the evaluation again.")
        return unpack(known["cells"]), None if known["inception"] is None else unpack(known["inception"])

    def row(self, case: Case, contestant: Contestant, recipe: str) -> Row | None:
        """The row that was made before by the same recipe; None when there is none, or it was an error."""
        kept = self._read(self._work / case.id / f"{contestant.slug}.json")
        if kept is None or kept["recipe"] != recipe or kept["row"]["error"]:
            return None
        try:
            written = self.picture(case.id, contestant.slug).stat().st_size
        except FileNotFoundError:
            return None
        if written != kept["bytes"]:  # the machine went down before the disk had it
            return None
        return Row.from_json(kept["row"])

    def keep(self, row: Row, contestant: Contestant, recipe: str, result: RGB | None) -> None:
        """The picture first, then its row: a row that is there has its picture."""
        data = b"" if result is None else png(result)
        if data:
            _write(self.picture(row.case, contestant.slug), data)
        packed = {"recipe": recipe, "row": row.as_json(), "bytes": len(data)}
        _write(self._work / row.case / f"{contestant.slug}.json", json.dumps(packed).encode())

    def picture(self, case_id: str, name: str) -> Path:
        """Where a case's ``truth``, ``hole`` or a contestant's result lies."""
        return self.pictures / case_id / f"{name}.png"

    def read_picture(self, case_id: str, name: str) -> RGB:
        """(H, W, 3)."""
        pixels = np.asarray(decode(self.picture(case_id, name).read_bytes()).pixels, np.uint8)
        return np.ascontiguousarray(np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3)))

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            kept: dict[str, Any] = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return kept


def _write(path: Path, data: bytes) -> None:
    """One of very many files, each of which can be made again."""
    write_atomically(path, data, durable=False)


def recipe_of(case: Case, contestant: Contestant, *, seed: int, missing: dict[str, str]) -> str:
    """The checksum of all that a row depends on."""
    parts = [
        REVISION,
        case.sha256,
        case.hole_sha256,
        contestant.name,
        dict(contestant.params),
        dict(contestant.weights),
        seed,
        sorted(missing),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def png(pixels: RGB) -> bytes:
    """A lossless file of (H, W, 3)."""
    return encode(Photo(np.ascontiguousarray(pixels)), "PNG")
