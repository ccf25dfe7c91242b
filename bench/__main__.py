"""`python -m bench [studio|models|metrics] …`; without a word, all of them with their defaults."""

from __future__ import annotations

import argparse
import sys

from bench import metrics, models, studio
from bench.report import BenchError


def main(arguments: list[str]) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Reweave on this machine.")
    which = parser.add_subparsers(dest="which", metavar="studio|models|metrics")
    studio.add_arguments(which.add_parser("studio", help="what passes around a model's own computing"))
    models.add_arguments(which.add_parser("models", help="seconds and memory of each model"))
    metrics.add_arguments(which.add_parser("metrics", help="what measuring costs in an evaluation"))
    chosen = parser.parse_args(arguments)
    try:
        if chosen.which in (None, "studio"):
            studio.run(chosen if chosen.which else parser.parse_args(["studio"]))
        if chosen.which in (None, "models"):
            models.run(chosen if chosen.which else parser.parse_args(["models"]))
        if chosen.which in (None, "metrics"):
            metrics.run(chosen if chosen.which else parser.parse_args(["metrics"]))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
