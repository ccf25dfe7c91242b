"""What transferred detail is worth: fills made at half scale, brought up with the photo's own detail or bicubically."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.report import BenchError, save, shown_path, table

SIDE = 512
_MEASURES = {"psnr_hole": "PSNR in the hole (dB)", "ssim": "SSIM", "lite0_distance": "Lite0 distance (×100)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench detail`."""
    parser.add_argument("--photos", type=Path, default=Path("frontend/static/samples"), help="default: the samples")
    parser.add_argument("--most", type=int, default=6, help="at most so many photos (default 6)")


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save."""
    import numpy as np

    from inpainting.engine import Engine
    from inpainting.evaluation.features import Viewer
    from inpainting.evaluation.metrics import psnr_hole, ssim
    from inpainting.evaluation.statistics import paired_difference
    from inpainting.imaging import Photo
    from inpainting.models.baselines import PatchMatch
    from inpainting.training.pack import PackError
    from inpainting.training.validation import folder_cases

    try:
        cases = folder_cases(chosen.photos, SIDE, most=chosen.most)
    except PackError as error:
        raise BenchError(str(error)) from None
    viewer = Viewer(published=False)
    rows: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    before = PatchMatch.working_side, PatchMatch.match_detail
    try:
        PatchMatch.working_side = SIDE // 2
        for case in cases:
            seen = viewer.see(case.photo, case.hole)
            for transferred, values in rows.items():
                PatchMatch.match_detail = transferred
                filled = Engine("cpu").fill(Photo(case.photo), case.hole, model="patchmatch")
                made = np.asarray(filled.photo.pixels, np.uint8)
                distance = viewer.look(made, seen).lite0_distance
                values.append(
                    (
                        psnr_hole(case.photo, made, case.hole),
                        ssim(case.photo, made),
                        np.nan if distance is None else distance,
                    )
                )
    finally:
        PatchMatch.working_side, PatchMatch.match_detail = before
    ours, bicubic = (np.asarray(rows[kind]) for kind in (True, False))
    gaps = [paired_difference(ours[:, column], bicubic[:, column]) for column in range(len(_MEASURES))]
    print(f"Detail: {len(cases)} photos at {SIDE}², filled by PatchMatch at half scale.")
    print(
        table(
            ["measure", "with detail", "bicubic", "difference [95 %]"],
            [
                [title, f"{ours[:, column].mean():.3f}", f"{bicubic[:, column].mean():.3f}", str(gaps[column])]
                for column, title in enumerate(_MEASURES.values())
            ],
        )
    )
    results = {
        name: {"detail": ours[:, column].tolist(), "bicubic": bicubic[:, column].tolist()}
        for column, name in enumerate(_MEASURES)
    }
    print(
        f"Saved in {shown_path(save('detail', {'photos': len(cases), 'side': SIDE, 'results': results}))}.\n",
        flush=True,
    )
