"""What `evaluate` does. Wrong wishes are answered with a sentence and exit code 2."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from inpainting.device import resolve_device
from inpainting.engine import Engine
from inpainting.evaluation.cases import cases_of_folder
from inpainting.evaluation.contestants import Contestant, parse_contestants
from inpainting.evaluation.features import Viewer
from inpainting.evaluation.measures import MEASURE_BY_KEY
from inpainting.evaluation.protocols import PROTOCOLS, Protocol, ProtocolError, Size, get_protocol, size_text
from inpainting.evaluation.report.export import latex_table, rows_csv, rows_parquet
from inpainting.evaluation.report.page import report_page
from inpainting.evaluation.run import Evaluation
from inpainting.evaluation.store import Store
from inpainting.files import UsageError, write_atomically

OK, SOME_FAILED = 0, 1
_MAX_SEED = 2**32 - 1
Votes = dict[tuple[str, str], tuple[int, int, int]]


def evaluate_command(options: argparse.Namespace) -> int:
    """Evaluate, or go on where an interrupted run stopped, and write the report."""
    if options.protocol == "list":
        width = max(map(len, PROTOCOLS))
        for each in PROTOCOLS.values():
            print(f"{each.key.ljust(width)}  {each.description}")
        return OK
    protocol = _protocol(options)
    if not 0 <= options.seed <= _MAX_SEED:
        raise UsageError(f"The seed must be a whole number from 0 to {_MAX_SEED}; it was {options.seed}.")
    if options.most is not None and options.most < 1:
        raise UsageError(f"--most must be at least 1; it was {options.most}.")
    contestants = parse_contestants(options.models.split(","), allow_untrained=options.allow_untrained)
    votes = None if options.votes is None else read_votes(options.votes, contestants)
    size: Size = options.size
    photos, masks = cases_of_folder(
        options.photos, size=size, protocol=protocol, masks=options.masks, seed=options.seed
    )
    photos = photos[: options.most]
    if options.output.exists() and not options.output.is_dir():
        raise UsageError(f"{options.output} is a file; the report needs a folder.")
    device = resolve_device(options.device)
    store = Store(options.output)
    try:
        store.claim(_plan(options), overwrite=options.overwrite)
    except OSError as error:
        raise UsageError(f"{options.output} cannot be written: {error.strerror}.") from None
    parts = 1 if protocol is None else len(protocol.parts)
    with tqdm(
        total=len(photos) * parts * len(contestants),
        unit="fill",
        disable=None,
        bar_format="{l_bar}{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]",
    ) as bar:

        def told(what: str, done: float) -> None:
            bar.set_description(what, refresh=False)
            bar.update(max(0.0, done - bar.n))

        run = Evaluation(
            store,
            Engine(device),
            Viewer(device),
            contestants,
            seed=options.seed,
            allow_untrained=options.allow_untrained,
            told=told,
            say=_say,
        )
        for photo in photos:
            run.add_photo(photo)
    holes = protocol.title if protocol is not None else _masks_text(options.masks, masks is not None and masks.is_pile)
    settings = {
        "size": size,
        "size_text": size_text(size),
        "protocol": None if protocol is None else protocol.key,
        "holes_text": holes,
        "holes_description": "" if protocol is None else protocol.description,
        "seed": options.seed,
    }
    title = options.title or f"Inpainting of {options.photos.resolve().name}"
    summary = run.summary(title=title, settings=settings, device=device, votes=votes)
    write_report(store, run, summary)
    _tell(run, options.output)
    return SOME_FAILED if run.outcome.skipped or summary["failures"] else OK


def write_report(store: Store, run: Evaluation, summary: dict[str, Any]) -> None:
    """All files of the report, each whole or not at all."""
    slugs = {each.name: each.slug for each in run.outcome.contestants}
    page = report_page(summary, lambda case, name: store.read_picture(case, slugs.get(name, name)))
    rows = {key: {"values": row.values, "error": row.error} for key, row in run.outcome.rows.items()}
    for name, data in (
        ("summary.json", (json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()),
        ("rows.csv", rows_csv(summary, rows)),
        ("rows.parquet", rows_parquet(summary, rows)),
        ("table.tex", latex_table(summary).encode()),
        ("report.html", page),
    ):
        write_atomically(store.folder / name, data)


def read_votes(path: Path, contestants: list[Contestant]) -> Votes:
    """Votes of a blind comparison from CSV: ``model_a``, ``model_b``, ``winner`` (a, b, tie); raises `UsageError`."""
    names = {each.name for each in contestants}
    counted: dict[tuple[str, str], list[int]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, line in enumerate(csv.DictReader(file), start=2):
                one, other, winner = ((line.get(key) or "").strip() for key in ("model_a", "model_b", "winner"))
                if winner not in ("a", "b", "tie") or not one or not other or one == other:
                    raise UsageError(
                        f"Line {number} of {path} is no vote: model_a, model_b and a, b or tie are needed."
                    )
                if {one, other} - names:
                    continue  # of models that this report is not about
                turned = one > other
                pair = (other, one) if turned else (one, other)
                place = 1 if winner == "tie" else (0 if (winner == "a") != turned else 2)
                counted.setdefault(pair, [0, 0, 0])[place] += 1
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path} is not a CSV file.") from None
    return {pair: (counts[0], counts[1], counts[2]) for pair, counts in counted.items()}


def _protocol(options: argparse.Namespace) -> Protocol | None:
    if options.protocol is None:
        return None
    try:
        return get_protocol(options.protocol)
    except ProtocolError as error:
        raise UsageError(str(error)) from None


def _plan(options: argparse.Namespace) -> dict[str, Any]:
    """What must not change between runs into one folder. (Photos may be added; models too.)"""
    return {
        "photos": str(options.photos.resolve()),
        "masks": None if options.masks is None else str(options.masks.resolve()),
        "protocol": options.protocol,
        "size": options.size,
        "seed": options.seed,
    }


def _masks_text(masks: Path, is_pile: bool) -> str:
    if is_pile:
        return f"masks of {masks.name}, one a photo by its checksum and the seed"
    return f"masks of {masks.name}, supplied by the user"


def _tell(run: Evaluation, folder: Path) -> None:
    outcome = run.outcome
    kept = len(outcome.rows) - outcome.filled
    before = f" ({kept} were there from before)" if kept else ""
    print(f"{len(outcome.cases)} cases by {len(outcome.contestants)} models{before}: {folder / 'report.html'}")
    for key, why in outcome.missing.items():
        _say(f"{MEASURE_BY_KEY[key].title} was not computed. {why}")
    if outcome.filled:
        measuring = outcome.metric_seconds + outcome.truth_seconds
        share = measuring / max(1e-9, measuring + outcome.fill_seconds)
        _say(f"Filling took {outcome.fill_seconds:.1f} s, measuring {measuring:.1f} s ({share:.0%}).")


def _say(text: str) -> None:
    """A line on standard error that does not tear the progress bar."""
    tqdm.write(text, file=sys.stderr)
