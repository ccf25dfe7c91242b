import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from inpainting.training.batches import BatchSource, random_crop
from inpainting.training.pack import PackError, PhotoPack, build_pack, splits_of


def smooth_photo(seed: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    for number in range(40):
        folder = tmp_path / "photos" / ("walls" if number % 2 else "trees")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"photo-{number}.png"), smooth_photo(number, 90 + number, 140))
    (tmp_path / "photos" / "walls" / "broken.jpg").write_bytes(b"not a photo")
    return [tmp_path / "photos"]


def test_a_pack_holds_every_readable_photo_at_its_size(folders: list[Path], tmp_path: Path) -> None:
    pack = build_pack(folders, tmp_path / "pack", side=64)
    assert len(pack) == 40
    assert {min(photo.width, photo.height) for photo in pack.photos} == {64}
    names = [photo.name for photo in pack.photos]
    truth = smooth_photo(3, 93, 140)[:, :, ::-1]
    packed = pack.pixels(names.index("photo-3.png"))
    wanted = cv2.resize(truth, (packed.shape[1], packed.shape[0]), interpolation=cv2.INTER_AREA)
    assert np.abs(packed.astype(int) - wanted).mean() < 4  # JPEG only; swapped channels would be tens


def test_split_is_by_the_name_alone(folders: list[Path], tmp_path: Path) -> None:
    pack = build_pack(folders, tmp_path / "pack", side=64)
    names = [photo.name for photo in pack.photos]
    assert [photo.split for photo in pack.photos] == splits_of(names)
    assert all(photo.split == "validation" for photo in pack.photos if first_digit(photo.name) == "0")
    assert len(pack.numbers("validation")) == 8
    assert not set(pack.numbers("train")) & set(pack.numbers("validation"))
    assert pack.groups("train").keys() == {"trees", "walls"}


def test_a_pack_is_read_again_without_its_photos(folders: list[Path], tmp_path: Path) -> None:
    built = build_pack(folders, tmp_path / "pack", side=64)
    (tmp_path / "pack" / "pixels.u8").unlink()
    again = PhotoPack(tmp_path / "pack")
    assert again.fingerprint() == built.fingerprint()
    assert all(np.array_equal(again.pixels(n), built.pixels(n)) for n in range(len(built)))


def test_a_limit_in_bytes_is_kept(folders: list[Path], tmp_path: Path) -> None:
    free = build_pack(folders, tmp_path / "free", side=88)
    limit = (tmp_path / "free" / "photos.bin").stat().st_size * 2 // 3
    tight = build_pack(folders, tmp_path / "tight", side=88, max_bytes=limit)
    assert (tmp_path / "tight" / "photos.bin").stat().st_size <= limit
    assert len(tight) == len(free)


def test_wrong_folders_and_damaged_packs_are_refused_with_a_sentence(tmp_path: Path, folders: list[Path]) -> None:
    with pytest.raises(PackError, match="There is no folder"):
        build_pack([tmp_path / "absent"], tmp_path / "pack")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackError, match="No photos"):
        build_pack([tmp_path / "empty"], tmp_path / "pack")
    with pytest.raises(PackError, match="is not a photo pack"):
        PhotoPack(tmp_path / "empty")
    build_pack(folders, tmp_path / "pack", side=64)
    blob = bytearray((tmp_path / "pack" / "photos.bin").read_bytes())
    blob[:400] = bytes(400)
    (tmp_path / "pack" / "photos.bin").write_bytes(blob)
    (tmp_path / "pack" / "pixels.u8").unlink()
    with pytest.raises(PackError, match="damaged"):
        PhotoPack(tmp_path / "pack")


def first_digit(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[0]


def test_the_published_split_rule() -> None:
    names = [f"{number}.jpg" for number in range(4000)]
    splits = dict(zip(names, splits_of(names), strict=True))
    assert {name for name in names if splits[name] == "validation"} == {
        name for name in names if first_digit(name) == "0"
    }
    assert abs(list(splits.values()).count("validation") / 4000 - 1 / 16) < 0.015


@pytest.mark.parametrize(("photos", "validation"), [(1, 0), (4, 0), (6, 1), (30, 6), (60, 8)])
def test_small_packs_keep_enough_aside_to_measure_something(photos: int, validation: int) -> None:
    names = [f"holiday-{number}.jpg" for number in range(photos)]
    splits = splits_of(names)
    assert splits.count("validation") == max(validation, sum(first_digit(name) == "0" for name in names))
    assert splits_of(names[::-1]) == splits[::-1]


def test_batches_depend_on_seed_rank_and_step_only(folders: list[Path], tmp_path: Path) -> None:
    pack = build_pack(folders, tmp_path / "pack", side=64)
    source = BatchSource(pack, batch=4, seed=5)
    stream = source.stream(10, 32)
    for step in (10, 11, 12):
        streamed, direct = next(stream), source.at(step, 32)
        assert torch.equal(streamed.images, direct.images)
        assert torch.equal(streamed.masks, direct.masks)
    other = BatchSource(pack, batch=4, seed=5, rank=1).at(10, 32)
    assert not torch.equal(other.images, source.at(10, 32).images)
    assert source.at(0, 32).images.min() >= -1
    assert set(source.at(0, 32).masks.unique().tolist()) == {0.0, 1.0}


def test_crops_cover_many_scales() -> None:
    ramp = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (200, 1, 3))
    rng = np.random.default_rng(0)
    spans = [int(np.ptp(random_crop(rng, ramp, 32)[0, :, 0].astype(int))) for _ in range(200)]
    assert min(spans) < 45
    assert max(spans) > 150
