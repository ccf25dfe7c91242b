"""`python -m inpainting evaluate`: photos in, a report out.

This module only describes the command; PyTorch is imported when it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `evaluate` to the command line."""
    evaluate = commands.add_parser(
        "evaluate",
        help="compare models on your own photos and write a report",
        description="Damage photos with holes, have models fill them, measure the results and write report.html, "
        "summary.json, rows.csv and table.tex. The same command continues an evaluation that was interrupted.",
    )
    evaluate.add_argument("--photos", metavar="DIR", type=Path, required=True, help="a folder of photos")
    holes = evaluate.add_mutually_exclusive_group(required=True)
    holes.add_argument(
        "--masks", metavar="DIR", type=Path, help="masks called like the photos, a pile of masks, or one file for all"
    )
    holes.add_argument("--protocol", metavar="NAME", help="how holes are drawn; “list” names them all")
    evaluate.add_argument(
        "--models",
        metavar="A,B",
        required=True,
        help="catalogue keys, or mean-colour, navier-stokes, biharmonic, membrane for reference; parameters as "
        "“patchmatch:patch_size=5;sources=on”",
    )
    evaluate.add_argument("--size", choices=("256", "512", "full"), default="256", help="default: 256")
    evaluate.add_argument("--seed", type=int, default=0, help="of holes and models (default: 0)")
    evaluate.add_argument("--most", metavar="N", type=int, help="only the first N photos")
    evaluate.add_argument("-o", "--output", metavar="REPORT", type=Path, required=True, help="a folder")
    evaluate.add_argument("--title", help="of the report (default: made of the photos' folder)")
    evaluate.add_argument(
        "--votes", metavar="FILE.csv", type=Path, help="blind votes: columns model_a, model_b, winner (a, b or tie)"
    )
    evaluate.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    evaluate.add_argument("--overwrite", action="store_true", help="evaluate anew into a folder of another evaluation")
    evaluate.add_argument("--allow-untrained", action="store_true", help="run models without weights, to try them")
    evaluate.set_defaults(run=_later("evaluate_command"))


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """A command of `inpainting.evaluation.commands`, imported when it is called."""

    def command(options: argparse.Namespace) -> int:
        run: Callable[[argparse.Namespace], int] = getattr(import_module("inpainting.evaluation.commands"), name)
        return run(options)

    return command
