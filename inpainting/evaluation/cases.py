"""What is filled: a photo at its evaluated size with one hole. Free of PyTorch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.evaluation.protocols import DrawnHole, Protocol, ProtocolError, Size, bin_of, draw_holes
from inpainting.files import UsageError, pictures_by_stem
from inpainting.imaging import PhotoError, decode, decode_mask, hole_from_grey, to_display
from inpainting.imaging.photo import BoolMask, to_8_bit

RGB = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One photo with one hole."""

    id: str
    """Unique in a report, made of the photo's name, its checksum and the hole's part of the protocol."""
    photo: str
    """The file's name."""
    sha256: str
    """Of the photo's file."""
    part: str
    truth: RGB
    """(H, W, 3), 8-bit sRGB."""
    hole: BoolMask

    @property
    def share(self) -> float:
        """Hole pixels over all pixels."""
        return float(self.hole.mean())

    @property
    def hole_sha256(self) -> str:
        """Of the hole's pixels and size."""
        height, width = self.hole.shape
        return hashlib.sha256(f"{width}x{height}:".encode() + np.packbits(self.hole).tobytes()).hexdigest()

    def damaged(self) -> RGB:
        """The truth with black in the hole: nothing of what is to be found out reaches a model."""
        damaged = self.truth.copy()
        damaged[self.hole] = 0
        return damaged

    def facts(self) -> dict[str, object]:
        """For the summary."""
        return {
            "id": self.id,
            "photo": self.photo,
            "sha256": self.sha256,
            "part": self.part,
            "width": self.truth.shape[1],
            "height": self.truth.shape[0],
            "hole_share": self.share,
            "hole_pixels": int(self.hole.sum()),
            "hole_sha256": self.hole_sha256,
            "bin": bin_of(self.share),
        }


def cases_of_photo(name: str, data: bytes, *, size: Size, protocol: Protocol, seed: int) -> list[Case]:
    """The cases of one photo's file under `protocol`; raises `PhotoError` or `ProtocolError` with a sentence."""
    truth, sha256 = prepare(data, size), hashlib.sha256(data).hexdigest()
    holes = draw_holes(protocol, sha256, seed, *truth.shape[:2])
    return [_case(name, sha256, truth, hole) for hole in holes]


def prepare(data: bytes, size: Size) -> RGB:
    """The photo of a file as it is evaluated: 8-bit sRGB, transparency on white (H, W, 3).

    For 256 and 512 its centre square, brought to that side by averaging areas (cubic where it is smaller); ``full``
    is the photo as displayed. Raises `PhotoError`.
    """
    shown = to_display(decode(data))
    if shown.mode == "RGBA":
        pixels = np.asarray(shown, np.float32)
        alpha = pixels[..., 3:] / 255
        rgb = np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    else:
        rgb = np.asarray(shown.convert("RGB"), np.uint8)
    if size == "full":
        return np.ascontiguousarray(rgb)
    square = _centre_square(rgb)
    side = int(size)
    method = cv2.INTER_AREA if square.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (side, side), interpolation=method), np.uint8)


class MaskFolder:
    """Masks that the user supplies, for photos of a folder.

    One file is for all photos. In a folder, masks that are called like the photos belong to them; when none is, the
    folder is a pile from which each photo gets one, chosen by its checksum and the seed.
    """

    def __init__(self, masks: Path, stems: Sequence[str], *, size: Size, seed: int) -> None:
        self._size, self._seed = size, seed
        self._single: Path | None = None
        self._own: dict[str, Path] = {}
        self._pile: list[Path] = []
        if not masks.exists():
            raise UsageError(f"There is no file or folder {masks}.")
        if not masks.is_dir():
            self._single = masks
            return
        found = pictures_by_stem(masks)
        if not found:
            raise UsageError(f"There are no masks in {masks}.")
        missing = [stem for stem in stems if stem not in found]
        if not missing:
            self._own = {stem: found[stem] for stem in stems}
        elif len(missing) == len(stems):
            self._pile = list(found.values())
        else:
            raise UsageError(
                f"{masks} has no mask called {missing[0]}, although other masks are called like their photos."
            )

    @property
    def is_pile(self) -> bool:
        """Whether masks are handed out by the seed."""
        return bool(self._pile)

    def case_of(self, stem: str, name: str, data: bytes) -> Case:
        """The case of one photo; raises `PhotoError` with a sentence for a mask that does not fit."""
        truth, sha256 = prepare(data, self._size), hashlib.sha256(data).hexdigest()
        path = self._single or self._own.get(stem) or self._drawn(sha256)
        full = decode(data)
        hole = self._read(path, truth, (full.height, full.width))
        if not hole.any() or hole.all():
            what = "has no hole" if not hole.any() else "is nothing but hole"
            raise PhotoError(f"{path.name} {what}.")
        return _case(name, sha256, truth, DrawnHole(f"mask-{path.stem}", hole))

    def _drawn(self, sha256: str) -> Path:
        text = f"{self._seed}/{sha256}"
        return self._pile[int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % len(self._pile)]

    def _read(self, path: Path, truth: RGB, photo_size: tuple[int, int]) -> BoolMask:
        data = path.read_bytes()
        stored = decode(data)
        found = (stored.height, stored.width)
        mask = decode_mask(data, width=stored.width, height=stored.height)
        if found == truth.shape[:2]:
            return mask
        grey = mask.view(np.uint8) * np.uint8(255)
        if found == photo_size:
            grey = _centre_square(grey)  # a full-size picture has the photo's size and does not come here
        elif not self._pile:
            raise PhotoError(
                f"The mask {path.name} has {found[1]} × {found[0]} pixels, but the photo has {photo_size[1]} × "
                f"{photo_size[0]}."
            )
        height, width = truth.shape[:2]
        resized = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        return hole_from_grey(to_8_bit(np.asarray(resized, np.uint8)[:, :, None])[:, :, 0])


def cases_of_folder(
    photos: Path, *, size: Size, protocol: Protocol | None, masks: Path | None, seed: int
) -> tuple[list[PlannedPhoto], MaskFolder | None]:
    """The photos of a folder in the order of their names, and the masks for them when they are supplied.

    Exactly one of `protocol` and `masks` must be given. Raises `UsageError`.
    """
    if not photos.is_dir():
        raise UsageError(f"There is no folder {photos}.")
    found = pictures_by_stem(photos)
    if not found:
        raise UsageError(f"There are no photos in {photos}.")
    folder = None if masks is None else MaskFolder(masks, list(found), size=size, seed=seed)
    return [PlannedPhoto(stem, path, size, protocol, folder, seed) for stem, path in found.items()], folder


@dataclass(frozen=True, slots=True)
class PlannedPhoto:
    """A photo file whose cases are read when its turn comes, so that memory does not grow with the folder."""

    stem: str
    path: Path
    size: Size
    protocol: Protocol | None
    masks: MaskFolder | None
    seed: int

    def cases(self) -> Iterator[Case]:
        """Its cases; raises `PhotoError` or `ProtocolError` with a sentence that names no file."""
        data = self.path.read_bytes()
        if self.masks is not None:
            yield self.masks.case_of(self.stem, self.path.name, data)
        elif self.protocol is not None:
            yield from cases_of_photo(self.path.name, data, size=self.size, protocol=self.protocol, seed=self.seed)
        else:
            raise ProtocolError("Neither a protocol nor masks were given.")


def _case(name: str, sha256: str, truth: RGB, hole: DrawnHole) -> Case:
    stem = re.sub(r"[^A-Za-z0-9-]+", "_", Path(name).stem)[:40].strip("_") or "photo"
    part = re.sub(r"[^A-Za-z0-9-]+", "_", hole.part)[:40]
    return Case(f"{stem}-{sha256[:8]}-{part}", name, sha256, hole.part, truth, hole.mask)


def _centre_square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return pixels[top : top + short, left : left + short]
