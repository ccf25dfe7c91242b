"""The trainer with every recipe, on a handful of small photos."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inpainting.training.batches import Batch, BatchSource
from inpainting.training.checkpoints import CheckpointError, load_checkpoint, save_checkpoint
from inpainting.training.features import GRADIENT_SHARE, FeatureLosses, PaperWeights
from inpainting.training.pack import PhotoPack
from inpainting.training.recipe import Clock, Losses, Player, Recipe, Updater
from inpainting.training.recipes import RecipeError, make_recipe
from inpainting.training.trainer import Plan, Trainer
from inpainting.training.watch import Watch
from tests.inpainting.small_packs import small_pack

CPU = torch.device("cpu")
RECIPES = {
    "tta": ("tiny", {"warm_up": "0"}, 32),
    "tmad": ("small", {"warm_up": "0", "coarse_stage": "0", "cells": "2"}, 64),
    "lbp": ("small", {"warm_up": "0", "first_stage": "0.5"}, 64),
    "mnps": ("small", {}, 128),
}
# A hinge critic's last bias has no gradient as long as every logit lies within the margin: +1 and -1 cancel.
UNMOVED = {"tta": {"critic.layers.10.bias"}}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PhotoPack:
    return small_pack(tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("pack"))


def trainer(model: str, pack: PhotoPack, out: Path, *, steps: int, **wishes: object) -> Trainer:
    size, switches, side = RECIPES[model]
    torch.manual_seed(0)
    recipe = make_recipe(model, size, switches)
    plan = Plan(batch=2, steps=steps, curriculum=((side, 1.0),), validation_side=side, **wishes)  # type: ignore[arg-type]
    return Trainer(recipe, pack, plan, out, CPU)


def press_ctrl_c_in_step(run: Trainer, number: int) -> None:
    usual = run.recipe.step

    def step(batch: Batch, clock: Clock, update: Updater) -> Losses:
        if clock.step == number:
            os.kill(os.getpid(), signal.SIGINT)
        return usual(batch, clock, update)

    run.recipe.step = step  # type: ignore[method-assign]


def parameters(recipe: Recipe) -> dict[str, Tensor]:
    modules = {**recipe.generators, **recipe.critics}
    return {
        f"{name}.{key}": value.detach().clone()
        for name, module in modules.items()
        for key, value in module.named_parameters()
    }


@pytest.mark.parametrize("model", RECIPES)
def test_training_moves_every_parameter_and_the_loss_is_logged(model: str, pack: PhotoPack, tmp_path: Path) -> None:
    run = trainer(model, pack, tmp_path, steps=4)
    if model == "mnps":
        run.recipe.warm_up = 0.0
    before = parameters(run.recipe)
    outcome = run.run(say=lambda text: None)
    still = {name for name, value in parameters(run.recipe).items() if torch.equal(value, before[name])}
    assert still <= UNMOVED.get(model, set())
    assert outcome.steps == 4
    assert outcome.pictures == 8
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"validation/psnr", "validation/ssim", "validation/l1"} <= {row["name"] for row in rows}
    assert list((tmp_path / "samples").glob("*.png"))
    curves = b"".join(file.read_bytes() for file in (tmp_path / "tensorboard").iterdir())
    assert all(row["name"].encode() in curves for row in rows)


def test_a_run_tells_how_far_and_how_fast_it_is(
    pack: PhotoPack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpainting.training.trainer._TELL_SECONDS", 0.0)
    lines: list[str] = []
    trainer("tta", pack, tmp_path, steps=2).run(say=lines.append)
    assert re.match(r"Step 1, 50%, 0\.\d min: [0-9.]+ steps/s at 32 px; l1 0\.\d{3}, critic", lines[0])
    assert lines[1].startswith("Step 2, 100%, ")


def test_resuming_equals_never_having_stopped_bit_for_bit(pack: PhotoPack, tmp_path: Path) -> None:
    whole = trainer("tta", pack, tmp_path / "whole", steps=6)
    whole.run(say=lambda text: None)

    first = trainer("tta", pack, tmp_path / "halves", steps=6)
    press_ctrl_c_in_step(first, 2)
    assert first.run(say=lambda text: None).interrupted
    second = trainer("tta", pack, tmp_path / "halves", steps=6)
    second.resume(tmp_path / "halves" / "last")
    assert second.step == 3
    second.run(say=lambda text: None)

    ours, _ = load_checkpoint(tmp_path / "halves" / "last")
    theirs, _ = load_checkpoint(tmp_path / "whole" / "last")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_network_learns_four_photos_by_heart(pack: PhotoPack) -> None:
    torch.manual_seed(1)
    recipe = make_recipe("lbp", "small")
    batch = BatchSource(pack, batch=4, seed=0).at(0, 64)
    (network,) = recipe.generators.values()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)

    def hole_psnr() -> float:
        with torch.inference_mode():
            fill = recipe.predict(recipe.generators, batch.damaged, batch.masks)
            square = ((fill - batch.images) ** 2 * batch.masks).sum() / (3 * batch.masks.sum())
        return float(10 * torch.log10(4 / square))

    before = hole_psnr()
    for _ in range(60):
        loss = ((recipe.predict(recipe.generators, batch.damaged, batch.masks) - batch.images).abs()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Before it has learnt anything, all it has is the surface that closes its seam.
    assert before < 20
    assert hole_psnr() > 28


def test_two_processes_learn_what_one_learns_from_both_their_batches(pack: PhotoPack, tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_processes.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(pack.folder), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[:3000]
    together, _ = load_checkpoint(tmp_path / "two" / "last")

    network = LinearRecipe()
    batches = [BatchSource(pack, batch=2, seed=0, rank=rank).at(0, 32) for rank in (0, 1)]
    loss = torch.stack([network.loss(batch) for batch in batches]).mean()
    (gradient,) = torch.autograd.grad(loss, [network.net.weight])
    moved = together["generator/net/weight"] - network.net.weight.detach()
    # Adam's first step is the learning rate times the sign of the gradient.
    assert torch.equal(moved.sign(), -gradient.sign())


class LinearRecipe(Recipe):
    """The smallest thing that learns: one 1×1 convolution."""

    key, size = "linear", "small"

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = nn.Conv2d(3, 3, 1, bias=False)
        self.generators, self.critics = {"net": self.net}, {}
        self.wishes = {}
        self._player = Player(self.generators, 1e-3)

    def players(self) -> dict[str, Player]:
        return {"net": self._player}

    def loss(self, batch: Batch) -> Tensor:
        return ((self.net(batch.images) - batch.images) ** 2).mean()

    def step(self, batch: Batch, clock: Clock, update: Updater) -> Losses:
        loss = self.loss(batch)
        update("net", loss)
        return {"loss": loss.item()}

    def predict(self, generators: dict[str, nn.Module], damaged: Tensor, masks: Tensor) -> Tensor:
        fill: Tensor = generators["net"](damaged)
        return fill


def test_a_run_is_continued_only_with_its_own_network_and_photos(pack: PhotoPack, tmp_path: Path) -> None:
    run = trainer("tta", pack, tmp_path / "run", steps=1)
    run.run(say=lambda text: None)
    with pytest.raises(CheckpointError, match="asked for"):
        trainer("lbp", pack, tmp_path / "other", steps=1).resume(tmp_path / "run" / "last")
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        run.resume(tmp_path / "nothing")
    state = tmp_path / "run" / "last" / "state.json"
    facts = json.loads(state.read_text())
    state.write_text(json.dumps({**facts, "pack": "another"}))
    with pytest.raises(CheckpointError, match="other photos"):
        run.resume(tmp_path / "run" / "last")


def test_a_killed_write_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last", {"a": torch.ones(3)}, {"step": 1})
    (tmp_path / "last.part").mkdir()
    (tmp_path / "last.part" / "000.safetensors").write_bytes(b"half")
    tensors, facts = load_checkpoint(tmp_path / "last")
    assert facts["step"] == 1
    assert torch.equal(tensors["a"], torch.ones(3))
    save_checkpoint(tmp_path / "last", {"a": torch.zeros(3)}, {"step": 2})
    assert load_checkpoint(tmp_path / "last")[1]["step"] == 2
    assert not (tmp_path / "last.part").exists()


def test_large_states_are_cut_into_shards(tmp_path: Path) -> None:
    tensors = {str(n): torch.full((1024, 1024), float(n)) for n in range(9)}  # 4 MiB each
    save_checkpoint(tmp_path / "big", tensors, {})
    sizes = [path.stat().st_size for path in (tmp_path / "big").glob("*.safetensors")]
    assert max(sizes) < 16 * 1024 * 1024
    again, _ = load_checkpoint(tmp_path / "big")
    assert all(torch.equal(again[name], value) for name, value in tensors.items())


def test_the_watch_names_what_goes_wrong() -> None:
    assert Watch().look({"l1": float("nan")}, 1).fatal  # type: ignore[union-attr]
    watch = Watch()
    sentences = [watch.look({"critic": 0.001, "l1": 1.0}, step) for step in range(700)]
    assert any(alarm and "critic is winning" in alarm.sentence for alarm in sentences)
    watch = Watch()
    sentences = [watch.look({"spread_fill": 0.01, "spread_truth": 0.4}, step) for step in range(700)]
    assert any(alarm and "collapses" in alarm.sentence for alarm in sentences)
    watch = Watch()
    assert not any(watch.look({"critic": 0.9, "spread_fill": 0.3, "spread_truth": 0.4}, step) for step in range(700))


def test_unknown_models_sizes_and_switches_are_refused_with_a_sentence() -> None:
    with pytest.raises(RecipeError, match="cannot be trained; tta, tmad, lbp, mnps can"):
        make_recipe("gram", "small")
    with pytest.raises(RecipeError, match="size"):
        make_recipe("tta", "huge")
    with pytest.raises(RecipeError, match="unexpected keyword"):
        make_recipe("tta", "tiny", {"magic": "1"})
    with pytest.raises(RecipeError, match="topk or weighted"):
        make_recipe("tmad", "small", {"retrieval": "best"})
    with pytest.raises(RecipeError, match="above 0, not 0"):
        make_recipe("lbp", "small", {"feature_share": "0"})


@pytest.mark.parametrize("model", ["tta", "tmad", "lbp"])
def test_the_game_can_be_left_out_and_the_perceptual_terms_kept(model: str, pack: PhotoPack, tmp_path: Path) -> None:
    size, switches, side = RECIPES[model]
    torch.manual_seed(0)
    stage = {"first_stage": "0"} if model == "lbp" else {}
    recipe = make_recipe(model, size, {**switches, **stage, "adversarial": "no"})
    plan = Plan(batch=2, steps=1, curriculum=((side, 1.0),), validation_side=side, validation_photos=1)
    run = Trainer(recipe, pack, plan, tmp_path, CPU)
    before = parameters(recipe)
    losses: list[Losses] = []
    usual = recipe.step
    recipe.step = lambda *turn: losses.append(usual(*turn)) or losses[-1]  # type: ignore[method-assign,func-returns-value]
    run.run(say=lambda text: None)
    assert "perceptual" in losses[0]
    assert not [name for name in losses[0] if "critic" in name or "adversarial" in name]
    critics = {f"{name}.{key}" for name, critic in recipe.critics.items() for key, _ in critic.named_parameters()}
    moved = {name for name, value in parameters(recipe).items() if not torch.equal(value, before[name])}
    assert moved
    assert not moved & critics


@pytest.mark.parametrize("share", [GRADIENT_SHARE, 0.6])
def test_feature_terms_get_their_share_of_the_reconstructions_gradient(share: float, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
    fill = (truth * 0.5).requires_grad_()
    losses = FeatureLosses(PaperWeights(0.1, 100.0), folder=tmp_path, share=share)
    assert losses.balanced
    assert losses.names == "EfficientNet-Lite0 and a random VGG-19"
    reconstruction = (fill - truth).abs().mean()
    total, parts = losses(fill, fill, truth, reconstruction)
    assert parts.keys() == {"perceptual", "style"}
    (wanted,) = torch.autograd.grad(reconstruction, fill, retain_graph=True)
    for name in parts:
        term = losses._distance(name, fill, truth)
        (gradient,) = torch.autograd.grad(term, fill)
        factor = parts[name] / term.item()
        assert factor * gradient.norm().item() == pytest.approx(share * wanted.norm().item(), rel=1e-3)
    assert total.item() == pytest.approx(sum(parts.values()), rel=1e-4)
    again = FeatureLosses(PaperWeights(0.1, 100.0), folder=tmp_path)
    again.load(json.loads(json.dumps(losses.state())))
    assert again.balance.factor("style") == losses.balance.factor("style")


def test_feature_terms_vanish_at_the_truth(tmp_path: Path) -> None:
    truth = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    losses = FeatureLosses(PaperWeights(0.1, 100.0), folder=tmp_path)
    assert losses._distance("perceptual", truth, truth).item() == 0
    assert losses._distance("style", truth, truth).item() == 0
