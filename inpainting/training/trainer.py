"""The trainer: one loop for every recipe, with exact resume, EMA, mixed precision and several GPUs."""

from __future__ import annotations

import copy
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import cv2
import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from inpainting.training.batches import BatchSource
from inpainting.training.checkpoints import (
    CheckpointError,
    load_checkpoint,
    pack_modules,
    pack_optimizer,
    save_checkpoint,
    unpack_modules,
    unpack_optimizer,
)
from inpainting.training.pack import PhotoPack
from inpainting.training.recipe import Clock, Losses, Recipe, Updater
from inpainting.training.runlog import RunLog
from inpainting.training.validation import fill_cases, scores, sheet, validation_cases
from inpainting.training.watch import Alarm, Watch
from inpainting.weights.loading import Weights

_TELL_SECONDS = 30.0
"""Between two lines about a run's pace."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked to do. Lengths are in steps or minutes; with `steps` a run is reproducible bit for bit."""

    batch: int = 16
    seed: int = 0
    steps: int | None = None
    minutes: float | None = None
    curriculum: tuple[tuple[int, float], ...] = ((64, 0.5), (128, 0.35), (256, 0.15))
    """(resolution in px, share of the run), in order."""
    amp: bool = False
    channels_last: bool = False
    ema: float = 0.999
    warm_up_steps: int = 200
    """Steps over which the learning rate rises."""
    anneal: float = 0.2
    """Last share of the run over which the learning rate falls to a tenth."""
    checkpoint_minutes: float = 3.0
    validate_minutes: float = 10.0
    validation_side: int = 256
    validation_photos: int = 64
    loader_threads: int = 1

    def resolution(self, progress: float) -> int:
        """Which resolution is trained at `progress`."""
        edge = 0.0
        for side, share in self.curriculum:
            edge += share
            if progress < edge:
                return side
        return self.curriculum[-1][0]


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    steps: int
    pictures: int
    minutes: float
    best: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False


class Trainer:
    """Runs `recipe` on `pack` as `plan` says, writing everything below `out`.

    `out/last` is the full state, `out/best` the same at the best validation score (PSNR), `out/metrics.csv`,
    `out/tensorboard/` and `out/samples/*.png` are for people.
    """

    def __init__(self, recipe: Recipe, pack: PhotoPack, plan: Plan, out: Path, device: torch.device) -> None:
        if plan.steps is None and plan.minutes is None:
            raise ValueError("A run needs a number of steps or of minutes.")
        if recipe.side is None and any(side % recipe.multiple for side, _ in plan.curriculum):
            raise ValueError(f"{recipe.key} trains at multiples of {recipe.multiple} px only.")
        self.recipe, self.pack, self.plan, self.out, self.device = recipe, pack, plan, out, device
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        for module in (*recipe.generators.values(), *recipe.critics.values()):
            module.to(device)
            if plan.channels_last:
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.features is not None:
            for network in recipe.features.modules.values():
                network.to(device)
        self.averages = {name: copy.deepcopy(module).eval() for name, module in recipe.generators.items()}
        for module in self.averages.values():
            module.requires_grad_(False)
        self.players = recipe.players()
        self.optimizers = {
            name: torch.optim.Adam(player.parameters(), lr=player.learning_rate, betas=player.betas)
            for name, player in self.players.items()
        }
        self.step = 0
        self.seconds = 0.0
        self.best: dict[str, float] = {}
        self.started_from = ""
        """Checksum of the weights that this run began with, empty for random ones."""
        self.watch = Watch()
        self._stop = False
        self._share_weights()

    # State

    def start_from(self, weights: Weights) -> None:
        """Begin with `weights` instead of random ones; raise `WeightsError` when they are another network's."""
        self.recipe.start_from(weights)
        for name, average in self.averages.items():
            average.load_state_dict(self.recipe.generators[name].state_dict())
        self.started_from = weights.sha256

    def save(self, folder: Path) -> None:
        """Write the full state to `folder` (first process only)."""
        if self.rank:
            return
        tensors: dict[str, Tensor] = pack_modules("generator", self.recipe.generators)
        tensors |= pack_modules("critic", self.recipe.critics) | pack_modules("average", self.averages)
        facts: dict[str, object] = {
            "model": self.recipe.key,
            "recipe": self.recipe.wishes,
            "metadata": self.recipe.metadata(),
            "recipe_state": self.recipe.state(),
            "step": self.step,
            "seconds": self.seconds,
            "pictures": self.step * self.plan.batch * self.world,
            "best": self.best,
            "started_from": self.started_from,
            "pack": self.pack.fingerprint(),
            "sets": self.pack.groups("train"),
            "plan": asdict(self.plan),
            "device": describe(self.device),
            "optimizers": {},
        }
        groups: dict[str, object] = {}
        for name, optimizer in self.optimizers.items():
            slots, numbers = pack_optimizer(name, optimizer)
            tensors |= slots
            groups[name] = numbers
        facts["optimizers"] = groups
        tensors["rng/cpu"] = torch.get_rng_state()
        save_checkpoint(folder, tensors, facts)

    def resume(self, folder: Path) -> None:
        """Continue from `folder`; raise `CheckpointError` when it belongs to another model, size or set of photos."""
        tensors, facts = load_checkpoint(folder)
        if facts["metadata"] != self.recipe.metadata():
            raise CheckpointError(f"{folder} holds {facts['metadata']}, but {self.recipe.metadata()} was asked for.")
        if facts["pack"] != self.pack.fingerprint():
            raise CheckpointError(f"{folder} was trained on other photos; give the same ones, or another --out.")
        unpack_modules("generator", self.recipe.generators, tensors)
        unpack_modules("critic", self.recipe.critics, tensors)
        unpack_modules("average", self.averages, tensors)
        for name, optimizer in self.optimizers.items():
            unpack_optimizer(name, optimizer, tensors, facts["optimizers"][name])
        self.recipe.load_state(facts["recipe_state"])
        torch.set_rng_state(tensors["rng/cpu"])
        self.step, self.seconds, self.best = int(facts["step"]), float(facts["seconds"]), dict(facts["best"])
        self.started_from = str(facts.get("started_from", ""))

    # The loop

    def run(self, *, say: Callable[[str], None] = print) -> Outcome:
        """Train until the plan is fulfilled or Ctrl-C; the state is saved either way."""
        self.out.mkdir(parents=True, exist_ok=True)
        log = RunLog(self.out) if self.rank == 0 else None
        source = BatchSource(self.pack, self.plan.batch, self.plan.seed, self.rank)
        update = _Update(self)
        first_second, base, first_step = time.monotonic(), self.seconds, self.step
        saved = validated = told = time.monotonic()
        resolution = self._resolution()
        batches = source.stream(self.step, resolution, threads=self.plan.loader_threads)
        with self._interruptible():
            while not self._finished():
                clock = Clock(self.step, self._progress(), resolution)
                torch.manual_seed(_step_seed(self.plan.seed, self.rank, self.step))
                batch = next(batches).to(self.device)
                if self.plan.channels_last:
                    batch.images = batch.images.contiguous(memory_format=torch.channels_last)
                losses = self.recipe.step(batch, clock, update)
                self._average_weights()
                self.step += 1
                self.seconds = base + time.monotonic() - first_second
                self._look_after(losses, clock, log, say)
                if time.monotonic() - told > _TELL_SECONDS:
                    told = time.monotonic()
                    say(self._pace(clock, losses, self.step - first_step, told - first_second))
                if time.monotonic() - saved > self.plan.checkpoint_minutes * 60:
                    self.save(self.out / "last")
                    saved = time.monotonic()
                if time.monotonic() - validated > self.plan.validate_minutes * 60:
                    self.validate(log, say)
                    validated = time.monotonic()
                wanted = self._resolution()
                if wanted != resolution:
                    say(f"From step {self.step} on at {wanted} px.")
                    resolution = wanted
                    batches = source.stream(self.step, resolution, threads=self.plan.loader_threads)
        self.validate(log, say)
        self.save(self.out / "last")
        if log is not None:
            log.close()
        pictures = self.step * self.plan.batch * self.world
        return Outcome(self.step, pictures, self.seconds / 60, self.best, interrupted=self._stop)

    def validate(self, log: RunLog | None, say: Callable[[str], None]) -> dict[str, float]:
        """Score the averaged weights on the fixed validation set, keep the state when it is the best so far."""
        if self.rank:
            return {}
        cases = validation_cases(
            self.pack,
            self.recipe.side or self.plan.validation_side,
            most=self.plan.validation_photos,
            box=self.recipe.hole_box,
        )
        if not cases:
            return {}
        results = fill_cases(
            cases, lambda damaged, masks: self.recipe.predict(self.averages, damaged, masks), self.device
        )
        means = {name: float(values.mean()) for name, values in scores(cases, results).items()}
        say(
            f"Step {self.step}, {self.seconds / 60:.1f} min: PSNR {means['psnr']:.2f} dB, SSIM {means['ssim']:.4f}, "
            f"L1 {means['l1']:.2f} % on {len(cases)} validation photos"
        )
        if log is not None:
            log.write(self.step, self.seconds, {f"validation/{name}": value for name, value in means.items()})
        samples = self.out / "samples"
        samples.mkdir(exist_ok=True)
        cv2.imwrite(str(samples / f"{self.step:07d}.png"), sheet(cases, results)[:, :, ::-1])
        if means["psnr"] > self.best.get("psnr", -math.inf):
            self.best = {**means, "step": float(self.step)}
            self.save(self.out / "best")
        return means

    def _resolution(self) -> int:
        return self.recipe.side or self.plan.resolution(self._progress())

    def _progress(self) -> float:
        shares = []
        if self.plan.steps is not None:
            shares.append(self.step / self.plan.steps)
        if self.plan.minutes is not None:
            shares.append(self.seconds / (self.plan.minutes * 60))
        return min(1.0, max(shares))

    def _finished(self) -> bool:
        over = torch.tensor([float(self._stop or self._progress() >= 1)])
        if self.world > 1:
            # Every process must leave at the same step, or the others wait for its gradients for ever.
            over = over.to(self.device)
            dist.all_reduce(over, op=dist.ReduceOp.MAX)
        return bool(over.item())

    def _pace(self, clock: Clock, losses: Losses, steps: int, seconds: float) -> str:
        """How far the run is and how fast, in a line."""
        terms = ", ".join(f"{name} {value:.3f}" for name, value in list(losses.items())[:3])
        return (
            f"Step {self.step}, {self._progress():.0%}, {self.seconds / 60:.1f} min: {steps / seconds:.2f} steps/s at "
            f"{clock.resolution} px; {terms}"
        )

    def _look_after(self, losses: Losses, clock: Clock, log: RunLog | None, say: Callable[[str], None]) -> None:
        alarm: Alarm | None = self.watch.look(losses, self.step)
        if alarm is not None and alarm.fatal:
            raise FloatingPointError(f"Stopped at step {self.step}: {alarm.sentence} The last good state is in last/.")
        if alarm is not None:
            say(f"Warning at step {self.step}: {alarm.sentence}")
        if log is not None and self.step % 50 == 0:
            pace = self.step / max(self.seconds, 1e-9)
            log.write(self.step, self.seconds, {**losses, "resolution": clock.resolution, "steps_per_second": pace})

    @torch.no_grad()
    def _average_weights(self) -> None:
        # A young average would be dominated by the initial weights.
        keep = min(self.plan.ema, (1 + self.step) / (10 + self.step))
        for name, average in self.averages.items():
            theirs = self.recipe.generators[name].state_dict()
            for key, value in average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(theirs[key], 1 - keep)
                else:
                    value.copy_(theirs[key])

    def _share_weights(self) -> None:
        if self.world == 1:
            return
        for module in (*self.recipe.generators.values(), *self.recipe.critics.values(), *self.averages.values()):
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, 0)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run after the current step; a second Ctrl-C is a real one."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._stop = True
            signal.signal(signal.SIGINT, previous[signal.SIGINT])

        previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in previous:
                signal.signal(number, stop)
        except ValueError:  # not the main thread: the caller decides about signals
            yield
            return
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


class _Update(Updater):
    """Backward, average over processes, clip, step."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __call__(self, player: str, loss: Tensor) -> None:
        trainer = self.trainer
        optimizer = trainer.optimizers[player]
        parameters = trainer.players[player].parameters()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, found in zip(parameters, gradients, strict=True):
            gradient = torch.zeros_like(parameter) if found is None else found
            if trainer.world > 1:
                dist.all_reduce(gradient)
                gradient = gradient / trainer.world
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(parameters, 5.0)
        for group in optimizer.param_groups:
            group["lr"] = trainer.players[player].learning_rate * self._factor()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def autocast(self) -> torch.autocast:
        plan = self.trainer.plan
        return torch.autocast(self.trainer.device.type, torch.bfloat16, enabled=plan.amp)

    def _factor(self) -> float:
        plan, trainer = self.trainer.plan, self.trainer
        rise = min(1.0, (trainer.step + 1) / max(1, plan.warm_up_steps))
        rest = 1 - trainer._progress()
        fall = 1.0 if rest > plan.anneal or plan.anneal == 0 else 0.1 + 0.9 * rest / plan.anneal
        return rise * fall


def describe(device: torch.device) -> str:
    """The device in words for model cards."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"


def _step_seed(seed: int, rank: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, rank, step]).generate_state(1)[0])
