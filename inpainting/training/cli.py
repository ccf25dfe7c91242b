"""`python -m inpainting train|ablate|pack|weights`: what a person types to train on their own photos.

This module only describes the commands; PyTorch is imported when one of them runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

_RESOLUTIONS = (64, 128, 256)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train`, `ablate`, `pack` and `weights` to the command line."""
    train = commands.add_parser("train", help="train a model on your own photos")
    train.add_argument("model", help="tta, tmad, lbp or mnps")
    train.add_argument("--minutes", type=float, help="how long to train, with what a resumed run already had")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the run lives, e.g. runs/tta")
    train.add_argument("--resume", action="store_true", help="continue the run in --out")
    train.add_argument("--start", metavar="FILE", help="begin with these weights, or with the “shipped” ones")
    _add_plan(train)
    train.set_defaults(run=_later("train_command"))

    ablate = commands.add_parser("ablate", help="train a model with and without its paper's ideas, and compare")
    ablate.add_argument("model", help="tta, tmad or lbp")
    ablate.add_argument("--out", type=Path, required=True, metavar="DIR", help="one folder a variant; begun ones go on")
    _add_plan(ablate)
    ablate.set_defaults(run=_later("ablate_command"), minutes=None, resume=True)

    pack = commands.add_parser("pack", help="put photos into one small file for training elsewhere")
    pack.add_argument("photos", nargs="+", type=Path, metavar="DIR")
    pack.add_argument("--out", type=Path, required=True, metavar="DIR")
    pack.add_argument("--side", type=int, default=288, help="short side of the packed photos in pixels")
    pack.add_argument("--max-mib", type=float, help="lower quality and size until the pack fits")
    pack.set_defaults(run=_later("pack_command"))

    weights = commands.add_parser("weights", help="list, check, export and add weights")
    deeds = weights.add_subparsers(required=True, metavar="DEED")
    listed = deeds.add_parser("list", help="which weights are here, and how good they are")
    listed.set_defaults(run=_later("list_command"))
    table = deeds.add_parser("table", help="the shipped networks against classical methods, in Markdown")
    table.set_defaults(run=_later("table_command"))
    verify = deeds.add_parser("verify", help="check every weights file against its checksum and its network")
    verify.set_defaults(run=_later("verify_command"))
    export = deeds.add_parser("export", help="turn a run into shipped weights with a measured model card")
    export.add_argument("run_folder", type=Path, metavar="RUN", help="for example runs/tta")
    export.add_argument("--checkpoint", choices=("best", "last"), default="best")
    export.add_argument("--pack", type=Path, metavar="DIR", help="the pack whose validation photos are measured")
    export.add_argument(
        "--show", type=Path, metavar="DIR", help="photos for the card's picture (default: validation's)"
    )
    export.add_argument("--replace", action="store_true", help="even if the weights that are here do better")
    export.set_defaults(run=_later("export_command"))
    add = deeds.add_parser("add", help="add published weights that you have: VGG, LPIPS, FID's Inception")
    add.add_argument("backbone", choices=("vgg16", "vgg19", "lpips", "inception"))
    add.add_argument("file", type=Path, metavar="FILE", help="the published .pth file; of VGG also safetensors")
    add.add_argument("--allow-unverified", action="store_true", help="take a file whose checksum is unknown")
    add.set_defaults(run=_later("add_command"))


def _add_plan(parser: argparse.ArgumentParser) -> None:
    """What `train` and `ablate` have in common: photos, lengths, device, validation."""
    parser.add_argument("--photos", nargs="+", type=Path, metavar="DIR", help="folders with photos")
    parser.add_argument("--pack", type=Path, metavar="DIR", help="a pack made before, instead of --photos")
    parser.add_argument("--size", default="small", help="small (shipped), paper, or tiny where a model has it")
    parser.add_argument("--resolution", type=int, default=128, choices=_RESOLUTIONS)
    parser.add_argument("--curriculum", metavar="PX:SHARE,…", help="resolutions and shares of the run, in order")
    parser.add_argument("--steps", type=int, help="instead of minutes; such a run is reproducible bit for bit on CPU")
    parser.add_argument("--batch", type=int, default=16, help="pictures a step and device")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's own choice)")
    parser.add_argument("--amp", action=argparse.BooleanOptionalAction, help="bfloat16 (default: on GPU only)")
    parser.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--anneal", type=float, default=0.2, help="last share of the run with a falling learning rate")
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0)
    parser.add_argument("--validate-minutes", type=float, default=10.0)
    parser.add_argument("--validation-side", type=int, default=256, help="side of the validation pictures in pixels")
    parser.add_argument("--validation-photos", type=int, default=64, help="at most so many")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a switch of the recipe")


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """A command of `inpainting.training.commands`, imported when it is called."""

    def command(options: argparse.Namespace) -> int:
        run: Callable[[argparse.Namespace], int] = getattr(import_module("inpainting.training.commands"), name)
        return run(options)

    return command
