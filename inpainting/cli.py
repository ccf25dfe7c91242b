"""``python -m inpainting models`` and ``python -m inpainting fill``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from inpainting.catalog import CatalogError, ModelEntry, Standing, get_entry, offered, standings
from inpainting.engine import Engine
from inpainting.files import FORMAT_BY_SUFFIX, Task, UsageError, plan_tasks, write_atomically
from inpainting.imaging import LOSSLESS_FORMATS, PhotoError, decode, decode_mask, encode
from inpainting.models.base import FillError
from inpainting.results import Progress

OK, SOME_FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None, *, more: Callable[[Commands], None] | None = None) -> int:
    """Run the command line; returns the exit code. `more` adds commands of packages that this one must not import.

    0: all photos were filled. 1: some were not, the others were. 2: the command itself was wrong, nothing was done.
    130: interrupted.
    """
    options = _parser(more).parse_args(arguments)
    try:
        return int(options.run(options))
    except (UsageError, CatalogError, FillError) as error:
        print(error, file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


def _parser(more: Callable[[Commands], None] | None = None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inpainting", description="Fill holes in photographs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    models = commands.add_parser("models", help="list the models and their parameters")
    models.add_argument("--json", action="store_true", help="as JSON, with all parameters")
    models.set_defaults(run=_list_models)

    fill = commands.add_parser(
        "fill",
        help="fill photos",
        description="Fill the white area of MASK in PHOTO. Pixels outside it stay exactly as they are (in PNG and "
        "TIFF; the other formats change pixels when they are written).",
    )
    fill.add_argument("photo", metavar="PHOTO", type=Path, help="a photo, or a folder of photos")
    fill.add_argument("mask", metavar="MASK", type=Path, help="a mask as large as the photo, or a folder of masks")
    fill.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="a file, or a folder")
    fill.add_argument("--model", metavar="KEY", required=True, help="see “models”")
    fill.add_argument("--param", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the model")
    fill.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    fill.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    fill.add_argument(
        "--suffix", choices=sorted(FORMAT_BY_SUFFIX), default=".png", help="ending of files in a folder OUT"
    )
    fill.add_argument("--allow-untrained", action="store_true", help="run a model without its weights, to try its code")
    fill.add_argument("--report", metavar="FILE.json", type=Path, help="write seconds and proof for each file")
    fill.set_defaults(run=_fill)
    if more is not None:
        more(commands)
    return parser


def _list_models(options: argparse.Namespace) -> int:
    entries, measured = offered(include_untrained=True), standings()
    if options.json:
        facts = [_as_json(entry, measured.get(entry.key)) for entry in entries]
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return OK
    rows = [("KEY", "COST", "READY", "WHAT IT DOES", "PARAMETERS")]
    for entry in entries:
        parameters = ", ".join(f"{param.name}={param.default}" for param in entry.params)
        rows.append((entry.key, entry.cost, "yes" if entry.trained else "untrained", entry.summary, parameters))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    return OK


def _as_json(entry: ModelEntry, standing: Standing | None) -> dict[str, Any]:
    return {
        "key": entry.key,
        "title": entry.title,
        "summary": entry.summary,
        "cost": entry.cost,
        "trained": entry.trained,
        "measured": None if standing is None else asdict(standing),
        "licence": entry.licence,
        "paper": None if entry.paper is None else asdict(entry.paper),
        "params": [asdict(param) for param in entry.params],
    }


def _fill(options: argparse.Namespace) -> int:
    entry = get_entry(options.model)
    params = entry.parse_params(_parameters(options.param))
    tasks = plan_tasks(options.photo, options.mask, options.output, suffix=options.suffix)
    if not entry.trained and not options.allow_untrained:
        raise CatalogError(f"{entry.title} has not been trained yet: its weights are missing. See --allow-untrained.")
    if any(FORMAT_BY_SUFFIX[task.out.suffix.lower()] not in LOSSLESS_FORMATS for task in tasks):
        _say("Only PNG and TIFF keep the pixels outside the mask exactly; other formats may change them slightly.")
    engine = Engine(options.device)
    lines: list[dict[str, Any]] = []
    try:
        with tqdm(
            total=len(tasks), unit="photo", disable=None, bar_format="{l_bar}{bar}| {n:.2f}/{total} [{elapsed}]"
        ) as bar:
            for number, task in enumerate(tasks):
                lines.append(_fill_one(engine, task, options, params, bar))
                bar.update(number + 1 - bar.n)
    finally:
        if options.report is not None:
            _write_report(options, params, lines, len(tasks))
    failed = sum(line["status"] == "failed" for line in lines)
    if failed and len(tasks) > 1:
        _say(f"{failed} of {len(tasks)} photos were not filled.")
    return SOME_FAILED if failed else OK


def _fill_one(
    engine: Engine, task: Task, options: argparse.Namespace, params: dict[str, Any], bar: tqdm[Any]
) -> dict[str, Any]:
    """Fill and write one photo; its line of the report."""
    line: dict[str, Any] = {
        "photo": str(task.photo),
        "mask": None if task.mask is None else str(task.mask),
        "output": None,
        "status": "failed",
    }
    before = bar.n

    def on_step(progress: Progress) -> None:
        bar.set_description(f"{task.photo.name}: {progress.stage}", refresh=False)
        bar.update(before + progress.fraction - bar.n)

    clock = _Clock()
    try:
        if task.mask is None:
            raise PhotoError("There is no mask for it.")
        photo = decode(task.photo.read_bytes())
        mask = decode_mask(task.mask.read_bytes(), width=photo.width, height=photo.height)
        clock.lap("decode")
        result = engine.fill(
            photo,
            mask,
            model=options.model,
            params=params,
            seed=options.seed,
            on_step=on_step,
            allow_untrained=options.allow_untrained,
        )
        clock.seconds |= result.timings
        clock.skip()
        wanted = FORMAT_BY_SUFFIX[task.out.suffix.lower()]
        write_atomically(task.out, encode(result.photo, wanted))
        clock.lap("encode")
    except (PhotoError, FillError, OSError) as error:
        line["message"] = _sentence(error)
        _say(f"{task.photo}: {line['message']}")
        return line
    return line | {
        "status": "done",
        "output": str(task.out),
        "lossless": wanted in LOSSLESS_FORMATS,
        "width": photo.width,
        "height": photo.height,
        "proof": result.proof,
        "seconds": {name: round(value, 4) for name, value in (clock.seconds | {"total": clock.total()}).items()},
        "notes": result.notes,
    }


class _Clock:
    """Named laps of wall-clock time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = self._lap = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._lap = now - self._lap, now

    def skip(self) -> None:
        self._lap = time.perf_counter()

    def total(self) -> float:
        return time.perf_counter() - self._started


def _parameters(given: Sequence[str]) -> dict[str, str]:
    parameters = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--param wants NAME=VALUE; it was {text!r}.")
        parameters[name.strip()] = value.strip()
    return parameters


def _write_report(
    options: argparse.Namespace, params: dict[str, Any], lines: list[dict[str, Any]], planned: int
) -> None:
    done = sum(line["status"] == "done" for line in lines)
    report = {
        "model": options.model,
        "params": params,
        "seed": options.seed,
        "device": options.device,
        "planned": planned,
        "done": done,
        "failed": len(lines) - done,
        "files": lines,
    }
    try:
        write_atomically(options.report, (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise UsageError(f"The report could not be written. {_sentence(error)}") from None


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    return str(error)


def _say(text: str) -> None:
    """A line on standard error that does not tear the progress bar."""
    tqdm.write(text, file=sys.stderr)
