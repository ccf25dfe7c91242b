"""What `train`, `ablate`, `pack` and `weights` do. Wrong wishes are answered with a sentence and exit code 2."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import torch

from inpainting.backbones.efficientnet_lite import BackboneError
from inpainting.backbones.vgg import add_vgg_file
from inpainting.catalog import CONTENT_WEIGHTS, ENTRIES, WEIGHTS_DIR
from inpainting.evaluation.inception import add_inception_file
from inpainting.evaluation.lpips import add_lpips_file
from inpainting.models.base import FillError
from inpainting.training.ablations import ablate
from inpainting.training.checkpoints import CheckpointError
from inpainting.training.export import export
from inpainting.training.pack import PackError, PhotoPack, build_pack
from inpainting.training.recipes import RecipeError, make_recipe
from inpainting.training.trainer import Plan, Trainer
from inpainting.weights.cards import comparison
from inpainting.weights.loading import WeightsError, read_weights

OK, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
_DEFAULT_CURRICULUM = {
    64: ((64, 1.0),),
    128: ((64, 0.6), (128, 0.4)),
    256: ((64, 0.5), (128, 0.35), (256, 0.15)),
}


Command = Callable[[argparse.Namespace], int]


def _answering(command: Command) -> Command:
    """Turn refusals into their sentence and exit code 2, a training that went wrong into exit code 1."""

    @wraps(command)
    def answered(options: argparse.Namespace) -> int:
        try:
            return command(options)
        except (PackError, RecipeError, CheckpointError, FillError, BackboneError, ValueError) as error:
            print(error, file=sys.stderr)
            return WRONG_USAGE
        except FloatingPointError as error:  # the losses are no numbers any more
            print(error, file=sys.stderr)
            return FAILED

    return answered


@_answering
def pack_command(options: argparse.Namespace) -> int:
    """Build a pack."""
    limit = None if options.max_mib is None else int(options.max_mib * 1024 * 1024)
    pack = build_pack(options.photos, options.out, side=options.side, max_bytes=limit)
    size = (options.out / "photos.bin").stat().st_size / 1024 / 1024
    print(f"{len(pack)} photos of {pack.side} px in {size:.1f} MiB: {options.out}")
    return OK


@_answering
def train_command(options: argparse.Namespace) -> int:
    """Train as asked; 130 after Ctrl-C (the state is saved), 1 when the losses are no numbers any more."""
    _use_threads(options)
    if not options.resume and (options.out / "last").exists():
        raise CheckpointError(f"{options.out} already holds a run: add --resume, or choose another --out.")
    recipe = make_recipe(options.model, options.size, _switches(options.set))
    device = _device(options.device)
    plan = _plan(options, device)
    pack = _pack(options)
    trainer = Trainer(recipe, pack, plan, options.out, device)
    if options.resume:
        trainer.resume(options.out / "last")
    elif options.start is not None:
        shipped = WEIGHTS_DIR / f"{options.model}.safetensors"
        trainer.start_from(read_weights(shipped if options.start == "shipped" else Path(options.start)))
    say = _say if trainer.rank == 0 else _silence
    groups = pack.groups("train")
    sets = ", ".join(f"{name} {count}" for name, count in groups.items())
    say(f"Training {options.model} ({options.size}) on {sum(groups.values())} photos: {sets}.")
    outcome = trainer.run(say=say)
    say(f"{outcome.steps} steps, {outcome.pictures} pictures, {outcome.minutes:.1f} minutes: {options.out}/last")
    return INTERRUPTED if outcome.interrupted else OK


@_answering
def ablate_command(options: argparse.Namespace) -> int:
    """Train the variants that are missing, print the table; 130 after Ctrl-C (what was trained is kept)."""
    _use_threads(options)
    device = _device(options.device)
    ablation = ablate(
        options.model,
        _pack(options),
        _plan(options, device),
        options.out,
        device,
        size=options.size,
        switches=_switches(options.set),
        say=_say,
    )
    if ablation is None:
        return INTERRUPTED
    print(ablation.as_markdown())
    return OK


@_answering
def list_command(options: argparse.Namespace) -> int:
    """One line a weights file that a model needs or can use: whether it is here, its size, its card's figures."""
    users = {name: entry.title for entry in ENTRIES for name in entry.weights}
    users[CONTENT_WEIGHTS] = "content network of MNPS"
    for name, user in users.items():
        path = WEIGHTS_DIR / name
        if not path.is_file():
            print(f"{name:24} not here: {user} is untrained")
            continue
        card = path.with_suffix(".json")
        scores = json.loads(card.read_text(encoding="utf-8"))["validation"]["scores"] if card.is_file() else {}
        figures = ", ".join(f"{metric} {value:.3f}" for metric, value in scores.items()) or "no card"
        print(f"{name:24} {path.stat().st_size / 1e6:.1f} MB  {user}: {figures}")
    return OK


@_answering
def table_command(options: argparse.Namespace) -> int:
    """The cards' figures beside those of classical methods, as the README has them."""
    print(comparison(WEIGHTS_DIR))
    return OK


@_answering
def verify_command(options: argparse.Namespace) -> int:
    """Read every weights file as the models do; 1 when one is damaged."""
    files = sorted(WEIGHTS_DIR.glob("*.safetensors"))
    damaged = 0
    for path in files:
        try:
            weights = read_weights(path)
        except WeightsError as error:
            damaged += 1
            print(error, file=sys.stderr)
        else:
            print(f"{path.name}: as recorded, sha256 {weights.sha256[:16]}…")
    print(f"{len(files) - damaged} of {len(files)} weights files are as recorded.")
    return FAILED if damaged else OK


@_answering
def export_command(options: argparse.Namespace) -> int:
    """Write weights and card into the package."""
    pack = PhotoPack(options.pack or options.run_folder / "pack")
    path = export(
        options.run_folder,
        pack,
        checkpoint=options.checkpoint,
        show=options.show,
        replace=options.replace,
        say=_say,
    )
    print(f"Wrote {path} and {path.with_suffix('.md').name}.")
    return OK


@_answering
def add_command(options: argparse.Namespace) -> int:
    """Keep a file of published weights that the administrator has."""
    if options.backbone in ("lpips", "inception"):
        add = add_lpips_file if options.backbone == "lpips" else add_inception_file
        path = add(options.file, WEIGHTS_DIR, allow_unverified=options.allow_unverified)
        measure = "LPIPS (with vgg16)" if options.backbone == "lpips" else "FID"
        print(f"Wrote {path}. Evaluations compute {measure} from now on.")
        return OK
    depth = int(options.backbone.removeprefix("vgg"))
    path = add_vgg_file(options.file, depth, WEIGHTS_DIR, allow_unverified=options.allow_unverified)
    print(f"Wrote {path}. Models that use VGG-{depth} take it from now on.")
    return OK


def _say(text: str) -> None:
    print(text, flush=True)


def _silence(text: str) -> None:
    """What all processes but the first say."""


def _use_threads(options: argparse.Namespace) -> None:
    if options.threads:
        torch.set_num_threads(options.threads)


def _plan(options: argparse.Namespace, device: torch.device) -> Plan:
    """A run's plan; without any length it is an hour."""
    minutes = options.minutes if options.minutes or options.steps else 60.0
    return Plan(
        batch=options.batch,
        seed=options.seed,
        steps=options.steps,
        minutes=minutes,
        curriculum=_curriculum(options.curriculum, options.resolution),
        amp=device.type == "cuda" if options.amp is None else options.amp,
        channels_last=options.channels_last,
        anneal=options.anneal,
        checkpoint_minutes=options.checkpoint_minutes,
        validate_minutes=options.validate_minutes,
        validation_side=options.validation_side,
        validation_photos=options.validation_photos,
        loader_threads=1 if device.type == "cpu" else max(2, (os.cpu_count() or 2) - 2),
    )


def _switches(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise ValueError(f"--set wants KEY=VALUE; it was {wrong[0]!r}.")
    return dict(pair.split("=", 1) for pair in pairs)


def _curriculum(text: str | None, resolution: int) -> tuple[tuple[int, float], ...]:
    if text is None:
        return _DEFAULT_CURRICULUM[resolution]
    stages = []
    for part in text.split(","):
        side, _, share = part.partition(":")
        try:
            stages.append((int(side), float(share or 1)))
        except ValueError:
            raise ValueError(
                f"--curriculum wants resolutions and shares like 64:0.6,128:0.4; it was {text!r}."
            ) from None
    total = sum(share for _, share in stages)
    if total <= 0 or any(side < 32 or side % 8 for side, _ in stages):
        raise ValueError("--curriculum wants resolutions of at least 32 that are multiples of 8, and positive shares.")
    return tuple((side, share / total) for side, share in stages)


def _device(name: str) -> torch.device:
    """The asked device; under `torchrun` the local rank's GPU, with the process group joined."""
    if name not in {"auto", "cpu", "cuda"}:
        raise ValueError(f"--device must be auto, cpu or cuda; it was {name}.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("There is no CUDA device here (or PyTorch is a CPU build); use --device cpu.")
    cuda = torch.cuda.is_available() and name != "cpu"
    rank = os.environ.get("LOCAL_RANK")
    if rank is not None and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if cuda else "gloo")
    return torch.device("cuda", int(rank or 0)) if cuda else torch.device("cpu")


def _pack(options: argparse.Namespace) -> PhotoPack:
    """The run's photos. Of several processes the first builds and decodes, the others open what it made."""
    if options.pack is None and not options.photos:
        raise PackError("Name folders with --photos, or a pack with --pack.")
    several = torch.distributed.is_initialized()
    if several and torch.distributed.get_rank():
        torch.distributed.barrier()
        return PhotoPack(options.pack or options.out / "pack")
    if options.pack is not None:
        pack = PhotoPack(options.pack)
    else:
        # Built once a run: a resumed one must see the very same photos.
        own = options.out / "pack"
        pack = PhotoPack(own) if options.resume and own.exists() else build_pack(options.photos, own)
    if several:
        torch.distributed.barrier()
    return pack
