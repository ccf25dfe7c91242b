"""Source maps survive being stored, cell for cell."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.imaging.context import Box
from inpainting.imaging.source_maps import NOTHING, PackedSources, centre_in_photo, pack_sources, unpack_sources
from tests.inpainting.conftest import AddModel
from tests.inpainting.pictures import disc, smooth


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 300),
    st.integers(0, 300),
    st.integers(0, 25),
    st.integers(0, 25),
    st.integers(0, 2**32 - 1),
)
def test_cells_come_back_exactly(
    height: int, width: int, top: int, left: int, more_y: int, more_x: int, seed: int
) -> None:
    """Through the engine's way into photo pixels and the file's way back, at any scale of 1 or more."""
    box = Box(left, top, left + width + more_x, top + height + more_y)
    random = np.random.default_rng(seed)
    cells = np.stack([random.integers(0, height, (height, width)), random.integers(0, width, (height, width))], axis=2)
    cells = cells.astype(np.int32)
    cells[random.random((height, width)) < 0.3] = -1
    scale = np.array([box.height / height, box.width / width])
    photo = np.floor((cells + 0.5) * scale).astype(np.int32) + np.array([top, left], np.int32)
    packed = pack_sources(np.where(cells < 0, np.int32(-1), photo), box)
    assert (packed.width, packed.height) == (width, height)
    assert np.array_equal(unpack_sources(packed), cells)


def test_the_file_is_what_a_browser_is_told_to_expect() -> None:
    """Two planes of signed 16-bit little-endian offsets in one zlib stream."""
    sources = np.full((2, 3, 2), -1, np.int32)
    sources[1, 0] = (100, 52)  # cell (0, 2)
    packed = pack_sources(sources, Box(50, 100, 53, 102))
    down, across = np.frombuffer(zlib.decompress(packed.data), "<i2").reshape(2, 2, 3)
    assert down.tolist() == [[NOTHING] * 3, [-1, NOTHING, NOTHING]]
    assert across.tolist() == [[NOTHING] * 3, [2, NOTHING, NOTHING]]


def test_copied_patches_take_little_room() -> None:
    rows, columns = np.indices((512, 512))
    sources = np.stack([rows, (columns + 200) % 512], axis=2).astype(np.int32)
    assert len(pack_sources(sources, Box(0, 0, 512, 512)).data) < 512 * 512 // 50


def test_large_maps_are_thinned_and_stay_true() -> None:
    rows, columns = np.indices((90, 200))
    sources = np.stack([rows, columns + 60], axis=2).astype(np.int32)
    sources[columns >= 140] = -1
    box = Box(1000, 0, 1400, 180)  # two photo pixels a cell
    packed = pack_sources(
        np.where(sources < 0, -1, sources * 2 + np.array([0, 1000])).astype(np.int32), box, longest_side=50
    )
    assert (packed.width, packed.height) == (50, 23)
    cells = unpack_sources(packed)
    found = cells[..., 0] >= 0
    assert found.mean() > 0.6
    y, x = centre_in_photo(cells, packed, box)
    own_y, own_x = centre_in_photo(np.stack(np.indices(found.shape), axis=2).astype(np.int32), packed, box)
    assert np.abs(x - own_x - 120)[found].max() <= 8  # one cell of the thinned map
    assert np.abs(y - own_y)[found].max() <= 8


@pytest.mark.parametrize("place", [(-5, 3), (3, 99), (200, 3)])
def test_places_outside_the_box_are_none(place: tuple[int, int]) -> None:
    sources = np.full((8, 8, 2), 3, np.int32)
    sources[2, 2] = place
    cells = unpack_sources(pack_sources(sources, Box(0, 0, 8, 8)))
    assert (cells[2, 2] == -1).all()
    assert (cells[2, 3] == 3).all()


@pytest.mark.parametrize("data", [b"", b"no zlib", zlib.compress(bytes(10)), zlib.compress(bytes(10**6))])
def test_what_is_no_map_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="source map"):
        unpack_sources(PackedSources(data, 3, 3))


def test_a_models_sources_reach_the_file(add_model: AddModel) -> None:
    """The probe takes everything from its crop's first known pixel; a cell is several pixels."""
    mask = disc(600, 700, center=(320, 380), radius=90)
    result = Engine().fill(Photo(smooth(600, 700)), mask, model=add_model("Recording"))
    (found,) = result.sources
    packed = pack_sources(found.sources, found.box)
    cells = unpack_sources(packed)
    assert max(packed.width, packed.height) == 64
    filled = cells[..., 0] >= 0
    assert filled.any()
    assert (cells[filled] == 0).all()
    y, x = centre_in_photo(cells[filled][:1], packed, found.box)
    assert found.box.top <= y[0] < found.box.top + found.patch
    assert found.box.left <= x[0] < found.box.left + found.patch
