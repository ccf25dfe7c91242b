"""`python -m inpainting train …` and `… pack …`: what a person types to train on their own photos."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch

from inpainting.training.checkpoints import CheckpointError
from inpainting.training.pack import PackError, PhotoPack, build_pack
from inpainting.training.recipes import RecipeError, make_recipe
from inpainting.training.trainer import Plan, Trainer

_DEFAULT_CURRICULUM = {
    64: ((64, 1.0),),
    128: ((64, 0.6), (128, 0.4)),
    256: ((64, 0.5), (128, 0.35), (256, 0.15)),
}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train` and `pack` to the command line."""
    train = commands.add_parser("train", help="train a model on your own photos")
    train.add_argument("model", help="tta, tmad, lbp or mnps")
    train.add_argument("--photos", nargs="+", type=Path, metavar="DIR", help="folders with photos")
    train.add_argument("--pack", type=Path, metavar="DIR", help="a pack made before, instead of --photos")
    train.add_argument("--size", default="small", help="small (shipped), paper, or tiny where a model has it")
    train.add_argument("--resolution", type=int, default=128, choices=sorted(_DEFAULT_CURRICULUM))
    train.add_argument("--curriculum", metavar="PX:SHARE,…", help="resolutions and shares of the run, in order")
    train.add_argument("--minutes", type=float, help="how long to train, with what a resumed run already had")
    train.add_argument("--steps", type=int, help="instead of minutes; such a run is reproducible bit for bit on CPU")
    train.add_argument("--batch", type=int, default=16, help="pictures a step and device")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the run lives, e.g. runs/tta")
    train.add_argument("--resume", action="store_true", help="continue the run in --out")
    train.add_argument("--device", default="auto", help="auto, cpu or cuda")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's own choice)")
    train.add_argument("--amp", action=argparse.BooleanOptionalAction, help="bfloat16 (default: on GPU only)")
    train.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    train.add_argument("--anneal", type=float, default=0.2, help="last share of the run with a falling learning rate")
    train.add_argument("--checkpoint-minutes", type=float, default=3.0)
    train.add_argument("--validate-minutes", type=float, default=10.0)
    train.add_argument("--validation-side", type=int, default=256, help="side of the validation pictures in pixels")
    train.add_argument("--validation-photos", type=int, default=64, help="at most so many")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a switch of the recipe")
    train.set_defaults(run=train_command)

    pack = commands.add_parser("pack", help="put photos into one small file for training elsewhere")
    pack.add_argument("photos", nargs="+", type=Path, metavar="DIR")
    pack.add_argument("--out", type=Path, required=True, metavar="DIR")
    pack.add_argument("--side", type=int, default=288, help="short side of the packed photos in pixels")
    pack.add_argument("--max-mib", type=float, help="lower quality and size until the pack fits")
    pack.set_defaults(run=pack_command)


def pack_command(args: argparse.Namespace) -> int:
    """Build a pack; exit code 2 with a sentence when there is nothing to pack."""
    limit = None if args.max_mib is None else int(args.max_mib * 1024 * 1024)
    try:
        pack = build_pack(args.photos, args.out, side=args.side, max_bytes=limit)
    except PackError as error:
        print(error, file=sys.stderr)
        return 2
    size = (args.out / "photos.bin").stat().st_size / 1024 / 1024
    print(f"{len(pack)} photos of {pack.side} px in {size:.1f} MiB: {args.out}")
    return 0


def train_command(args: argparse.Namespace) -> int:
    """Train as asked; exit code 2 with a sentence for bad wishes, 130 after Ctrl-C (the state is saved)."""
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        curriculum = _curriculum(args.curriculum, args.resolution)
        device = _device(args.device)
        pack = _pack(args)
        recipe = make_recipe(args.model, args.size, dict(pair.split("=", 1) for pair in args.set))
        minutes = args.minutes if args.minutes or args.steps else 60.0
        plan = Plan(
            batch=args.batch,
            seed=args.seed,
            steps=args.steps,
            minutes=minutes,
            curriculum=curriculum,
            amp=device.type == "cuda" if args.amp is None else args.amp,
            channels_last=args.channels_last,
            anneal=args.anneal,
            checkpoint_minutes=args.checkpoint_minutes,
            validate_minutes=args.validate_minutes,
            validation_side=args.validation_side,
            validation_photos=args.validation_photos,
            loader_threads=1 if device.type == "cpu" else max(2, (os.cpu_count() or 2) - 2),
        )
        trainer = Trainer(recipe, pack, plan, args.out, device)
        if args.resume:
            trainer.resume(args.out / "last")
        elif (args.out / "last").exists():
            raise CheckpointError(f"{args.out} already holds a run: add --resume, or choose another --out.")
    except (PackError, RecipeError, CheckpointError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if trainer.rank == 0:
        sets = ", ".join(f"{name} {count}" for name, count in pack.groups("train").items())
        print(
            f"Training {args.model} ({args.size}) on {sum(pack.groups('train').values())} photos: {sets}.", flush=True
        )
    try:
        outcome = trainer.run(say=lambda text: print(text, flush=True))
    except FloatingPointError as error:
        print(error, file=sys.stderr)
        return 1
    if trainer.rank == 0:
        print(
            f"{outcome.steps} steps, {outcome.pictures} pictures, {outcome.minutes:.1f} minutes. State: {args.out}/last"
        )
    return 130 if outcome.interrupted else 0


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


def _pack(args: argparse.Namespace) -> PhotoPack:
    if args.pack is not None:
        return PhotoPack(args.pack)
    if not args.photos:
        raise PackError("Name folders with --photos, or a pack with --pack.")
    # Built once a run; a resumed run must see the very same pack.
    own = args.out / "pack"
    return PhotoPack(own) if args.resume and own.exists() else build_pack(args.photos, own)
