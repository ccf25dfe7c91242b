"""`python -m bench PART …`, or without a word all of them with their defaults; the parts are in `PARTS`."""

from __future__ import annotations

import argparse
import sys

from bench import detail, editor, gallery, load, metrics, models, optimising, studio
from bench.report import BenchError

PARTS = {
    "studio": (studio, "what passes around a model's own computing"),
    "editor": (editor, "frame times of the mask editor on a large photo"),
    "load": (load, "a crowd of visitors: latencies, fairness, lost jobs, memory"),
    "models": (models, "seconds and memory of each model"),
    "metrics": (metrics, "what measuring costs in an evaluation"),
    "optimising": (optimising, "the optimising models beside plain transcriptions of their papers"),
    # Last: it sets up the website inside this process.
    "gallery": (gallery, "pages of a gallery of many pictures"),
    "detail": (detail, "fine detail taken from the photo against bicubic enlargement"),
}


def main(arguments: list[str]) -> int:
    """The command line; the exit status. What cannot be measured does not keep the other parts from it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Reweave on this machine.")
    which = parser.add_subparsers(dest="which", metavar="|".join(PARTS))
    for name, (part, words) in PARTS.items():
        part.add_arguments(which.add_parser(name, help=words))
    chosen = parser.parse_args(arguments)
    wanted = [chosen] if chosen.which else [parser.parse_args([name]) for name in PARTS]
    status = 0
    try:
        for one in wanted:
            try:
                PARTS[one.which][0].run(one)
            except BenchError as error:
                print(error, file=sys.stderr)
                status = 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
