"""One model beside its transcription, in its own process: `python -m bench.transcriptions KEY EVALUATIONS THREADS`.

Prints JSON. The photo is a sample of the repository at its own resolution; the hole is filled with Telea's method
first, which is quick and has no texture, so that there is something to do.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.pictures import SAMPLES
from inpainting.backbones.vgg import random_vgg19
from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.imaging.context import Box
from inpainting.layers.gram_statistics import Statistics
from inpainting.models.gram.backbone import SEED, WIDTHS, Backbone, ColourSpace
from inpainting.models.gram.fill import TAPS
from inpainting.models.gram.reference import cut
from inpainting.models.gram.synthesis import FINE_LEVEL_WEIGHT, Branch, PatchProblem, synthesise
from inpainting.models.mnps.energy import EnergySettings, ScaleEnergy
from inpainting.models.mnps.pyramid import Scale
from inpainting.models.mnps.synthesis import Schedule
from inpainting.models.mnps.synthesis import synthesise as synthesise_scales

# The tests are not type-checked, so these are taken as they are.
gram_reference = importlib.import_module("tests.inpainting.gram_reference")
mnps_reference = importlib.import_module("tests.inpainting.mnps_reference")

SAMPLE = "stands-out.jpg"
"""Moss, seen from above: close to a texture."""
REMATCH = 6

Side = dict[str, Any]


def sample(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The top left of the sample photo, (side, side, 3)."""
    with Image.open(SAMPLES / SAMPLE) as photo:
        return np.asarray(photo.convert("RGB"))[:side, :side].copy()


def timed(work: Callable[[], int]) -> Side:
    """Run `work`, which returns how many evaluations it took."""
    began, cpu = time.perf_counter(), time.process_time()
    count = work()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "evaluations": count,
    }


def shipped(key: str, pixels: np.ndarray[Any, np.dtype[np.uint8]], hole: Box) -> Side:
    """A whole fill with the shipped defaults, after a small one that loads everything."""
    mask = np.zeros(pixels.shape[:2], np.bool_)
    mask[hole.slices] = True
    engine = Engine("cpu")
    small = np.zeros((64, 64), np.bool_)
    small[28:36, 28:36] = True
    engine.fill(Photo(pixels[:64, :64].copy()), small, model=key)

    def fill() -> int:
        notes = engine.fill(Photo(pixels), mask, model=key).notes
        steps = notes["iterations"]
        return sum(steps) if isinstance(steps, list) else int(steps)

    return timed(fill)


def measure_gram(evaluations: int) -> dict[str, Any]:
    """One patch of 256² with a hole of 128², half of VGG-19's channels, the same reference for both sides."""
    pixels, hole = sample(512), Box(64, 192, 192, 320)
    patch, window = Box(0, 128, 256, 384), Box(256, 128, 512, 384)
    photo, mask = _tensor(pixels), torch.zeros(1, 1, 512, 512, dtype=torch.bool)
    mask[..., hole.top : hole.bottom, hole.left : hole.right] = True
    space = ColourSpace.of(photo, mask)
    network = Backbone(random_vgg19(TAPS, seed=SEED, width=WIDTHS["half"]), TAPS, False, "random")
    begun = _smooth(pixels, mask)
    network = network.calibrated(space.encode(begun), space)
    start, held, reference = cut(begun, patch), (~cut(mask, patch)).float(), cut(photo, window)

    def features(picture: Tensor) -> list[Tensor]:
        return network.features(space.encode(picture), space)

    made: dict[str, Tensor] = {}

    def transcription() -> int:
        made["transcription"], count = gram_reference.optimise_patch(
            start, held, reference, features, TAPS, evaluations
        )
        return int(count)

    def model() -> int:
        with torch.no_grad():
            wanted = Statistics.of(TAPS, features(reference))
        problem = PatchProblem(
            start=space.encode(start),
            movable=torch.ones_like(held),
            bound=held,
            detail=Branch(wanted, 1.0, None, TAPS),
            overview=None,
            surroundings=None,
            boundary_weight=10.0,
            level_weight=FINE_LEVEL_WEIGHT,
            good_enough=0.0,
        )
        pictures, result = synthesise(
            problem, network, space, iterations=evaluations, on_evaluation=lambda *_state: None
        )
        made["same"] = space.decode(pictures).clamp(0.0, 1.0)
        return result.evaluations

    with torch.no_grad():
        wanted = [
            gram_reference.shifted_gramians(tap, gram_reference.DELTA[name])
            for name, tap in zip(TAPS, features(reference), strict=True)
        ]

    def loss(picture: Tensor) -> float:
        with torch.no_grad():
            moved = held * (picture - start) * 255.0
            texture = gram_reference.differentiable_loss(features(picture), wanted, TAPS)
            return float(texture + 10.0 * moved.square().mean())

    sides = {"transcription": timed(transcription), "same": timed(model)}
    for name, side in sides.items():
        side["loss"] = loss(made[name])
    return {**sides, "loss_at_start": loss(start), "shipped": shipped("gram", pixels, hole)}


def measure_mnps(evaluations: int) -> dict[str, Any]:
    """The finest scale of a 256² photo with a hole of 96², relu3_1 and relu4_1 as in the paper."""
    pixels, hole = sample(256), Box(80, 80, 176, 176)
    mask = torch.zeros(256, 256, dtype=torch.bool)
    mask[hole.slices] = True
    scale = Scale(_tensor(pixels).masked_fill(mask, 0.0), mask, (256, 256))
    settings = EnergySettings(layers="paper", coherence=0.0, rim=0)
    network = random_vgg19(settings.network_taps)
    first = _smooth(pixels, mask[None, None])
    energy = ScaleEnergy(network, scale, first, settings)
    energy.match(energy.content)
    weights = (energy.alpha, energy.beta)
    known = mnps_reference.known_features(network, first)
    made: dict[str, Tensor] = {}

    def transcription() -> int:
        made["transcription"], count = mnps_reference.optimise(network, first, mask, weights, evaluations)
        return int(count)

    def model() -> int:
        schedule = Schedule(evaluations, REMATCH)
        result = synthesise_scales(network, [scale], first, settings, schedule, lambda _moment: None)
        made["same"] = result.picture
        return result.iterations[0]

    def loss(photo: Tensor) -> float:
        with torch.no_grad():
            return float(mnps_reference.objective(network, photo, first, mask, known, weights))

    sides = {"transcription": timed(transcription), "same": timed(model)}
    for name, side in sides.items():
        side["loss"] = loss(made[name])
    return {**sides, "loss_at_start": loss(first), "shipped": shipped("mnps", pixels, hole)}


def _tensor(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(255.0)).permute(2, 0, 1)[None]


def _smooth(pixels: np.ndarray[Any, np.dtype[np.uint8]], mask: Tensor) -> Tensor:
    return _tensor(cv2.inpaint(pixels, mask[0, 0].numpy().astype(np.uint8), 5.0, cv2.INPAINT_TELEA).astype(np.uint8))


def main(arguments: list[str]) -> int:
    """Measure and print; the exit status."""
    key, evaluations, threads = arguments
    torch.set_num_threads(int(threads))
    measured = {"gram": measure_gram, "mnps": measure_mnps}[key](int(evaluations))
    print(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
