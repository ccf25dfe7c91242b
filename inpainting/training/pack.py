"""A photo pack: many photos of one size class in one small file, decoded once into a memory map.

A pack is a folder with `photos.bin` (JPEG streams one after the other), `index.json`, and, made on first use,
`pixels.u8`: every photo's RGB bytes one after the other. The first two travel; the third is a cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "validation"]
RGB = NDArray[np.uint8]
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
_VERSION = 1
_LEAST_VALIDATION = 8


class PackError(ValueError):
    """Photos that cannot become a pack, or a pack that cannot be read; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class PackedPhoto:
    """One photo of a pack."""

    name: str
    group: str
    """Name of the folder it came from: the set that a model card names."""
    split: Split
    width: int
    height: int
    offset: int
    length: int


def splits_of(names: Sequence[str]) -> list[Split]:
    """Which of the photos called `names` are for validation: those with the lowest SHA-1 of the file name.

    These are all whose first hex digit is 0, about one in sixteen, and in small packs as many more as make
    `_LEAST_VALIDATION` photos or a fifth of the pack, whichever is less: one photo would measure nothing.
    """
    digests = [hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest() for name in names]
    least = min(_LEAST_VALIDATION, len(names) // 5)
    limit = sorted(digests)[least - 1] if least else ""
    return ["validation" if digest.startswith("0") or digest <= limit else "train" for digest in digests]


def find_photos(folders: Sequence[Path]) -> list[Path]:
    """All photo files below `folders`, sorted by path; raise `PackError` when a folder is missing or none is found."""
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise PackError(f"There is no folder {folder}.")
        files += [path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file()]
    if not files:
        raise PackError(f"No photos ({', '.join(sorted(_ENDINGS))}) were found in {', '.join(map(str, folders))}.")
    return sorted(set(files))


def _shrink(path: Path, side: int) -> RGB | None:
    """The photo with its short side brought down to `side` (never enlarged); None when it is no readable photo."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None or min(pixels.shape[:2]) < 32:
        return None
    scale = side / min(pixels.shape[:2])
    if scale < 1:
        size = (max(side, round(pixels.shape[1] * scale)), max(side, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(pixels, np.uint8)


def build_pack(
    folders: Sequence[Path], out: Path, *, side: int = 288, quality: int = 90, max_bytes: int | None = None
) -> PhotoPack:
    """Write a pack of all photos below `folders` and open it.

    `side` is the short side in pixels, `quality` that of the JPEG streams. With `max_bytes` quality and then side go
    down until the pack fits. Unreadable files and photos under 32 px are left out. Raises `PackError`.
    """
    files = find_photos(folders)
    roots = {folder.resolve(): folder.resolve().name for folder in folders}
    while True:
        records, blob = _encode_all(files, roots, side, quality)
        if not records:
            raise PackError("None of the files is a readable photo of at least 32 × 32 pixels.")
        if max_bytes is None or len(blob) <= max_bytes:
            break
        if quality > 78:
            quality -= 6
        elif side > 64:
            side = int(side * 0.88)
        else:
            raise PackError(f"The {len(records)} photos do not fit into {max_bytes} bytes even at {side} px.")
    out.mkdir(parents=True, exist_ok=True)
    (out / "pixels.u8").unlink(missing_ok=True)
    (out / "photos.bin").write_bytes(blob)
    index = {"version": _VERSION, "side": side, "quality": quality, "photos": [asdict(record) for record in records]}
    (out / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return PhotoPack(out)


def _encode_all(
    files: Sequence[Path], roots: dict[Path, str], side: int, quality: int
) -> tuple[list[PackedPhoto], bytes]:
    def encode(path: Path) -> tuple[Path, RGB | None, bytes]:
        pixels = _shrink(path, side)
        if pixels is None:
            return path, None, b""
        _, stream = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return path, pixels, stream.tobytes()

    records: list[PackedPhoto] = []
    blob = bytearray()
    with ThreadPoolExecutor(2) as pool:
        for path, pixels, stream in pool.map(encode, files):
            if pixels is None:
                continue
            records.append(
                PackedPhoto(
                    name=path.name,
                    group=_group(path, roots),
                    split="train",
                    width=pixels.shape[1],
                    height=pixels.shape[0],
                    offset=len(blob),
                    length=len(stream),
                )
            )
            blob += stream
    splits = splits_of([record.name for record in records])
    return [replace(record, split=split) for record, split in zip(records, splits, strict=True)], bytes(blob)


def _group(path: Path, roots: dict[Path, str]) -> str:
    """The sub-folder of its root that a photo lies in, or the root's own name."""
    path = path.resolve()
    for root, name in roots.items():
        if path.is_relative_to(root):
            inner = path.relative_to(root).parts
            return inner[0] if len(inner) > 1 else name
    return path.parent.name


class PhotoPack:
    """An open pack. Pixels are memory-mapped, so several processes share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            self.photos = [PackedPhoto(**record) for record in index["photos"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PackError(f"{folder} is not a photo pack: {error}.") from error
        if index.get("version") != _VERSION:
            raise PackError(f"The pack {folder} was written by another version; build it again.")
        self.side = int(index["side"])
        sizes = [photo.width * photo.height * 3 for photo in self.photos]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        cache = folder / "pixels.u8"
        if not cache.exists() or cache.stat().st_size != self._starts[-1]:
            self._decode_into(cache)
        self._pixels: RGB = np.memmap(cache, np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self.photos)

    def pixels(self, number: int) -> RGB:
        """Photo `number` as read-only RGB (height, width, 3)."""
        photo = self.photos[number]
        flat = self._pixels[self._starts[number] : self._starts[number + 1]]
        return flat.reshape(photo.height, photo.width, 3)

    def numbers(self, split: Split) -> list[int]:
        """Which photos belong to `split`."""
        return [number for number, photo in enumerate(self.photos) if photo.split == split]

    def groups(self, split: Split) -> dict[str, int]:
        """How many photos of `split` came from each set."""
        counts: dict[str, int] = {}
        for photo in self.photos:
            if photo.split == split:
                counts[photo.group] = counts.get(photo.group, 0) + 1
        return dict(sorted(counts.items()))

    def fingerprint(self) -> str:
        """A hash of names and sizes, stored in checkpoints so that a resumed run sees the same data."""
        text = json.dumps([[photo.name, photo.width, photo.height, photo.length] for photo in self.photos])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _decode_into(self, cache: Path) -> None:
        part = cache.with_suffix(".part")
        blob = (self.folder / "photos.bin").read_bytes()

        def decode(photo: PackedPhoto) -> RGB:
            stream = np.frombuffer(blob, np.uint8, photo.length, photo.offset)
            pixels = cv2.imdecode(stream, cv2.IMREAD_COLOR)
            if pixels is None or pixels.shape[:2] != (photo.height, photo.width):
                raise PackError(f"The pack {self.folder} is damaged at {photo.name}; build it again.")
            return np.ascontiguousarray(pixels[:, :, ::-1])

        with part.open("wb") as file, ThreadPoolExecutor(2) as pool:
            for pixels in _bounded(pool, decode, self.photos):
                file.write(pixels.tobytes())
        part.replace(cache)


def _bounded(
    pool: ThreadPoolExecutor, work: Callable[[PackedPhoto], RGB], items: Iterable[PackedPhoto]
) -> Iterator[RGB]:
    """`pool.map` in slices, so that a thousand decoded photos do not wait in memory for the disk."""
    items = list(items)
    for start in range(0, len(items), 64):
        yield from pool.map(work, items[start : start + 64])
