"""Interrupted fills: their state is kept, is taken up by the next attempt, and by no other fill."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inpainting.catalog import get_entry
from inpainting.checkpoints import Conditions, FillState, FinishedCrop, ModelState, identity_of, pack, unpack
from inpainting.engine import Cancelled, Engine
from inpainting.imaging import Photo
from inpainting.models.base import FillInput
from inpainting.models.mnps.fill import WORKING_SIDES
from inpainting.results import Progress, Result
from tests.inpainting.conftest import AddModel
from tests.inpainting.pictures import texture

ENGINE = Engine("cpu")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Store:
    """One state in memory, saved as often as it may be."""

    def __init__(self, seconds_between: float = 0.0) -> None:
        self.seconds_between = seconds_between
        self.data: bytes | None = None
        self.saved = 0
        self.heard: list[Progress] = []
        """What the attempt that uses this store has told."""

    def load(self) -> bytes | None:
        return self.data

    def save(self, data: bytes) -> None:
        self.data = data
        self.saved += 1


def square(height: int, width: int, top: int, left: int, side: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


class Run:
    """One attempt at a fill, stopped at the first step whose stage begins with `stop_at`."""

    def __init__(
        self, photo: Photo, mask: NDArray[np.bool_], store: Store | None, *, stop_at: str = "", **options: Any
    ) -> None:
        self.heard: list[Progress] = []
        self.result: Result | None = None
        if store is not None:
            store.heard = self.heard

        def listen(progress: Progress) -> None:
            self.heard.append(progress)
            if stop_at and progress.stage.startswith(stop_at):
                raise Cancelled

        try:
            self.result = ENGINE.fill(photo, mask, on_step=listen, checkpoint=store, **options)
        except Cancelled:
            assert stop_at

    @property
    def finished(self) -> Result:
        assert self.result is not None
        return self.result

    def optimised(self) -> list[str]:
        """The stages told with losses, which are those of the optimisation."""
        return [progress.stage for progress in self.heard if progress.steps_done is not None]

    def last_loss(self) -> float:
        return sum([progress.losses for progress in self.heard if progress.losses][-1].values())


# The file


def test_a_state_comes_back_as_it_was() -> None:
    state = FillState(
        0.4,
        {0: FinishedCrop(np.ones((5, 3), np.float32), np.full((5, 2), 7, np.int32), 9, {"backbone": "x"})},
        1,
        ModelState({"scale": 2, "weights": [0.5, 1.5]}, {"variables": np.arange(12, dtype=np.float32).reshape(3, 4)}),
    )
    back = unpack(pack(state, "me"), "me")
    assert back is not None
    assert (back.fraction, back.crop, back.finished[0].source_patch) == (0.4, 1, 9)
    assert back.finished[0].notes == {"backbone": "x"}
    assert np.array_equal(back.finished[0].pixels, state.finished[0].pixels)
    assert np.array_equal(back.finished[0].sources, state.finished[0].sources)  # type: ignore[arg-type]
    assert back.model is not None
    assert back.model.facts == {"scale": 2, "weights": [0.5, 1.5]}
    assert np.array_equal(back.model.arrays["variables"], np.arange(12).reshape(3, 4))


def test_a_state_without_a_model_and_of_another_fill() -> None:
    data = pack(FillState(0.1), "me")
    assert unpack(data, "me") == FillState(0.1)
    assert unpack(data, "you") is None


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"\xff" * 8 + b"{}", b"[1]", b"\x02" + b"\0" * 7 + b"{}"])
def test_what_is_no_state_is_nothing(damage: bytes) -> None:
    assert unpack(damage, "me") is None
    assert unpack(pack(FillState(0.1), "me")[:-3], "me") is None


def test_everything_that_decides_a_result_is_part_of_its_identity() -> None:
    photo, mask = Photo(texture(20, 24)), square(20, 24, 5, 5, 6)
    here = Conditions("cpu", 512)
    mine = identity_of(photo, mask, "gram", {"a": 1}, 3, here)
    assert identity_of(Photo(photo.pixels.copy()), mask.copy(), "gram", {"a": 1}, 3, Conditions("cpu", 512)) == mine
    other = photo.pixels.copy()
    other[0, 0, 0] ^= 1
    more = mask.copy()
    more[0, 0] = True
    others = [
        identity_of(Photo(other), mask, "gram", {"a": 1}, 3, here),
        identity_of(photo, more, "gram", {"a": 1}, 3, here),
        identity_of(photo, mask, "mnps", {"a": 1}, 3, here),
        identity_of(photo, mask, "gram", {"a": 2}, 3, here),
        identity_of(photo, mask, "gram", {"a": 1}, 4, here),
        identity_of(photo, mask, "gram", {"a": 1}, 3, Conditions("cuda", 512)),
        identity_of(photo, mask, "gram", {"a": 1}, 3, Conditions("cpu", 1024)),
    ]
    assert len({mine, *others}) == 8


# The models


class History(Store):
    """Keeps every state, by the number of the step that was told right after it."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[int, bytes] = {}

    def save(self, data: bytes) -> None:
        super().save(data)
        self.states[len(self.heard)] = data


class Interrupted:
    """A fill that ran to its end with all its states kept, to be resumed from any of them."""

    def __init__(self, photo: Photo, mask: NDArray[np.bool_], **options: Any) -> None:
        self.photo, self.mask, self.options = photo, mask, options
        self.history = History()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("inpainting.checkpoints._COST_SHARE", 1e9)  # every state that is offered, whatever it costs
            self.whole = Run(photo, mask, self.history, **options)

    def resumed_after(self, stage: str) -> Run:
        """A new attempt that finds the state put by when the step called `stage` was told; it is checked."""
        told = [progress.stage for progress in self.whole.heard]
        store = Store(1e6)
        store.data = self.history.states[told.index(stage)]
        state = unpack(store.data, identity_of(self.photo, self.mask, **self._request()))
        assert state is not None
        moved = self.mask.size if self.options["params"].get("boundary") == "soft" else int(self.mask.sum())
        # Two pictures of the hole, what the coarse stage made of it, one small picture, and facts with curves.
        assert len(store.data) < 25 * moved + 12 * 128 * 128 + 8192

        again = Run(self.photo, self.mask, store, **self.options)
        before = [progress.fraction for progress in again.heard]
        assert before == sorted(before)
        assert before[0] == state.fraction
        assert {progress.resumed for progress in again.heard} == {before[0]}
        assert again.finished.notes["resumed_at"] == round(before[0], 3)
        assert np.array_equal(again.finished.photo.pixels[~self.mask], self.photo.pixels[~self.mask])
        assert len(again.optimised()) <= len(self.whole.optimised())
        if again.optimised()[-1] != again.optimised()[0]:
            assert again.last_loss() < 1.35 * self.whole.last_loss()
        return again

    def _request(self) -> dict[str, Any]:
        entry = get_entry(self.options["model"])
        conditions = Conditions("cpu", ENGINE.working_side(entry.key))
        params = entry.parse_params(self.options["params"])
        return {"model": entry.key, "params": params, "seed": 0, "conditions": conditions}


def two_patches(**params: Any) -> Interrupted:
    """A hole that takes two patches and one pooling."""
    mask = np.zeros((64, 320), np.bool_)
    mask[24:40, 40:280] = True
    given = {"width": "quarter", "fine_iterations": 8, "coarse_iterations": 6, "start": "mean"} | params
    return Interrupted(Photo(texture(64, 320, period=16)), mask, model="gram", params=given)


@pytest.fixture(scope="module")
def synthesised() -> Interrupted:
    return two_patches()


def test_texture_synthesis_goes_on_in_its_coarse_stage(synthesised: Interrupted) -> None:
    stages = synthesised.resumed_after("Coarse stage, iteration 4/6").optimised()
    assert stages[0] == "Coarse stage, iteration 4/6"
    assert "Fine stage, patch 2/2, iteration 8/8" in stages


def test_texture_synthesis_goes_on_in_its_first_patch(synthesised: Interrupted) -> None:
    stages = synthesised.resumed_after("Fine stage, patch 1/2, iteration 5/8").optimised()
    assert stages[0] == "Fine stage, patch 1/2, iteration 5/8"
    assert "Fine stage, patch 2/2, iteration 8/8" in stages


@pytest.mark.parametrize("boundary", ["exact", "soft"])
def test_texture_synthesis_goes_on_in_its_last_patch(synthesised: Interrupted, boundary: str) -> None:
    fill = synthesised if boundary == "exact" else two_patches(boundary="soft")
    again = fill.resumed_after("Fine stage, patch 2/2, iteration 6/8")
    assert again.optimised()[0] == "Fine stage, patch 2/2, iteration 6/8"
    assert again.finished.notes["patches"] == 2
    assert again.finished.notes["iterations"] <= 6 + 8 + 8
    # What the first patch had made is there; a soft boundary is evened out over all of the hole.
    first, mine = fill.whole.finished.photo.pixels, again.finished.photo.pixels
    assert np.abs(first[24:40, 40:64].astype(int) - mine[24:40, 40:64]).max() <= (1 if boundary == "exact" else 4)


def test_a_resumed_texture_synthesis_shows_and_keeps_what_the_first_attempt_had(synthesised: Interrupted) -> None:
    """Overlays and curves of a resumed fill are those of one that nobody interrupted."""
    again, whole = (
        synthesised.resumed_after("Fine stage, patch 2/2, iteration 6/8").finished,
        synthesised.whole.finished,
    )
    shown = {overlay.name: overlay.image for overlay in again.overlays}
    assert set(shown) == {overlay.name for overlay in whole.overlays} == {"start", "coarse", "references"}
    for overlay in whole.overlays:
        assert np.array_equal(shown[overlay.name], overlay.image), overlay.name
    assert len(np.unique(shown["coarse"][synthesised.mask])) > 10
    mine, theirs = again.notes["curves"], whole.notes["curves"]
    assert mine["parts"] == theirs["parts"] == ["Coarse stage", "Fine stage, patch 1/2", "Fine stage, patch 2/2"]
    before = theirs["part"].index(2)
    assert mine["part"][:before] == theirs["part"][:before]
    assert mine["terms"]["global"][:before] == theirs["terms"]["global"][:before]


def test_texture_synthesis_from_a_copy_goes_on() -> None:
    pixels = texture(100, 110, period=22) + np.random.default_rng(0).normal(0, 20, (100, 110, 3))
    photo, mask = Photo(pixels.clip(0, 255).astype(np.uint8)), square(100, 110, 40, 50, 24)
    fill = Interrupted(photo, mask, model="gram", params={"width": "quarter", "fine_iterations": 10})
    again = fill.resumed_after("Fine stage, patch 1/1, iteration 6/10")
    assert again.optimised()[0] == "Fine stage, patch 1/1, iteration 6/10"
    assert {overlay.name for overlay in again.finished.overlays} == {"start", "references"}
    (mine,), (whole,) = again.finished.sources, fill.whole.finished.sources
    assert np.array_equal(mine.sources, whole.sources)


@pytest.fixture(scope="module")
def patched() -> Interrupted:
    photo, mask = Photo(texture(150, 170, period=20)), square(150, 170, 60, 70, 24)
    return Interrupted(photo, mask, model="mnps", params={"iterations": 14, "rematch": 7, "content": "telea"})


@pytest.mark.parametrize(
    "stage",
    [
        "Scale 1/2, looking for matches",
        "Scale 1/2, iteration 6/14",
        "Scale 2/2, iteration 0/14",
        "Scale 2/2, iteration 8/14",
    ],
)
def test_neural_patch_synthesis_goes_on_at_every_scale(patched: Interrupted, stage: str) -> None:
    again = patched.resumed_after(stage)
    assert again.optimised()[0] == stage
    reached = int(stage.rpartition(" ")[2].partition("/")[0]) if "iteration" in stage else 0
    steps = [progress.steps_done for progress in again.heard if progress.steps_done is not None]
    assert steps[0] == reached + (14 if stage.startswith("Scale 2") else 0)
    assert again.finished.notes["content"] == "telea"
    assert "Guessing the content with Telea" not in [progress.stage for progress in again.heard]
    assert [overlay.name for overlay in again.finished.overlays] == ["content", "sources", "match"]


def test_a_state_of_another_network_or_request_is_not_taken_up() -> None:
    photo, mask, params = Photo(texture(60, 70)), square(60, 70, 24, 24, 9), {"iterations": 3, "content": "telea"}
    store = Store()
    Run(photo, mask, store, stop_at="Scale 1/1, iteration 2/", model="mnps", params=params)
    kept = store.data
    assert kept is not None
    other = Run(photo, mask, store, model="mnps", params=params, seed=1)
    assert "Guessing the content with Telea" in [progress.stage for progress in other.heard]
    assert "resumed_at" not in other.finished.notes

    here = Conditions("cpu", ENGINE.working_side("mnps"))
    identity = identity_of(photo, mask, "mnps", get_entry("mnps").parse_params(params), 0, here)
    state = unpack(kept, identity)
    assert state is not None
    assert state.model is not None
    state.model = ModelState({**state.model.facts, "network": "VGG-19 of somebody else"}, state.model.arrays)
    store.data = pack(state, identity)
    anew = Run(photo, mask, store, model="mnps", params=params)
    assert "Guessing the content with Telea" in [progress.stage for progress in anew.heard]


def test_a_stopped_fill_puts_by_what_it_has_reached() -> None:
    """Not only what was due by time: what a worker hands back is not lost."""
    store = Store(1e6)
    photo, mask = Photo(texture(60, 70)), square(60, 70, 24, 24, 9)
    options: dict[str, Any] = {"model": "mnps", "params": {"iterations": 4, "content": "telea"}}
    first = Run(photo, mask, store, stop_at="Scale 1/1, iteration 3/4", **options)
    assert (first.result, store.saved) == (None, 1)
    again = Run(photo, mask, store, **options)
    assert again.heard[0].fraction == first.heard[-1].fraction
    assert next(progress.steps_done for progress in again.heard if progress.steps_done is not None) == 3


# The engine


def test_finished_areas_are_not_filled_again(add_model: AddModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.inpainting.probe_models import Resumable

    key = add_model("Resumable")
    pixels = texture(700, 900)
    mask = square(700, 900, 20, 20, 30) | square(700, 900, 600, 800, 40)
    store = Store()
    monkeypatch.setattr(Resumable, "filled", [])
    first = Run(Photo(pixels), mask, store, stop_at="Area 2 of 2: step 3", model=key)
    assert first.result is None
    assert Resumable.filled == [(30, 0), (40, 0)]
    second = Run(Photo(pixels), mask, store, model=key)
    assert Resumable.filled == [(30, 0), (40, 0), (40, 3)]
    assert (second.finished.photo.pixels[mask] == (10, 20, 30)).all()
    assert second.finished.notes["crops"] == 2
    whole = Run(Photo(pixels), mask, None, model=key).finished
    assert [each.box for each in second.finished.sources] == [each.box for each in whole.sources]
    for mine, other in zip(second.finished.sources, whole.sources, strict=True):
        assert np.array_equal(mine.sources, other.sources)


def test_models_that_cannot_resume_ask_for_nothing() -> None:
    store = Store()
    ENGINE.fill(Photo(texture(60, 60)), square(60, 60, 20, 20, 10), model="telea", checkpoint=store)
    assert store.saved == 0


def test_a_slow_store_is_asked_less_often(add_model: AddModel) -> None:
    """Saving may take a twentieth of the time."""
    pause = threading.Event()

    class Slow(Store):
        def save(self, data: bytes) -> None:
            super().save(data)
            pause.wait(0.05)

    store = Slow()
    Run(Photo(texture(60, 60)), square(60, 60, 20, 20, 10), store, model=add_model("Resumable"))
    assert store.saved == 1


def test_inputs_keep_nothing_unless_asked() -> None:
    called: list[int] = []
    job = FillInput(np.zeros((2, 2, 3), np.float32), np.ones((2, 2), np.bool_), {}, 0, lambda step: None)

    def make() -> ModelState:
        called.append(1)
        return ModelState({}, {})

    job.keep(make)
    assert called == []


def test_a_state_reached_with_crops_of_another_size_is_not_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a worker with a graphics card dies and one without takes the job: its arrays would not fit."""
    photo, mask, store = Photo(texture(90, 110)), square(90, 110, 24, 24, 20), Store()
    options: dict[str, Any] = {"model": "mnps", "params": {"iterations": 3, "content": "telea"}}
    Run(photo, mask, store, stop_at="Scale 1/1, iteration 2/", **options)
    assert store.data is not None
    monkeypatch.setitem(WORKING_SIDES, "cpu", 64)
    elsewhere = Engine("cpu")
    heard: list[str] = []
    result = elsewhere.fill(
        photo, mask, checkpoint=store, on_step=lambda progress: heard.append(progress.stage), **options
    )
    assert "resumed_at" not in result.notes
    assert "Guessing the content with Telea" in heard
    assert result.proof["changed_pixels"] == 0
