"""A plain transcription of Laube et al.: loops, one patch at a time, every window through the network by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

DELTA = {"relu1_1": 6, "pool1": 6, "pool2": 5, "pool3": 4, "pool4": 3}
EXPANSION = {"relu1_1": 1, "pool1": 1, "pool2": 2, "pool3": 3, "pool4": 2}
Features = Callable[[Tensor], Sequence[Tensor]]


def gramian(features: np.ndarray, dx: int, dy: int, known: np.ndarray | None = None) -> np.ndarray:
    """G_ij = Σ F_i(x, y) F_j(x + dx, y + dy) over positions that both exist (and are known), over their number."""
    channels, height, width = features.shape
    total, count = np.zeros((channels, channels)), 0
    for y in range(height - dy):
        for x in range(width - dx):
            if known is None or (known[y, x] and known[y + dy, x + dx]):
                total += np.outer(features[:, y, x], features[:, y + dy, x + dx])
                count += 1
    return total / max(count, 1)


def all_gramians(features: np.ndarray, delta: int, known: np.ndarray | None = None) -> list[np.ndarray]:
    return [gramian(features, 0, 0, known), gramian(features, delta, 0, known), gramian(features, 0, delta, known)]


def mask_chain(hole: np.ndarray, taps: Sequence[str]) -> list[np.ndarray]:
    """Section 3.2: at each tap the hole grows by e and is pooled; returns what is known, tap by tap."""
    masks = []
    for tap in taps:
        margin = EXPANSION[tap]
        height, width = hole.shape
        grown = np.zeros_like(hole)
        for y, x in np.argwhere(hole):
            grown[max(0, y - margin) : y + margin + 1, max(0, x - margin) : x + margin + 1] = True
        if tap != "relu1_1":
            grown = grown[: height // 2 * 2, : width // 2 * 2]
            grown = grown.reshape(height // 2, 2, width // 2, 2).any(axis=(1, 3))
        hole = grown
        masks.append(~hole)
    return masks


def texture_loss(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray], taps: Sequence[str]) -> float:
    """1e6 · L_s + 1e7 · L_cc for features (C, h, w), one a tap."""
    loss = 0.0
    for ours, theirs, tap in zip(found, wanted, taps, strict=True):
        plain, *shifted = [
            ((a - b) ** 2).sum() / (4 * len(ours) ** 2)
            for a, b in zip(all_gramians(ours, DELTA[tap]), all_gramians(theirs, DELTA[tap]), strict=True)
        ]
        loss += 1e6 * plain + 1e7 * sum(shifted)
    return loss


def total_loss(
    patch: Tensor,
    start: Tensor,
    held: Tensor,
    window: Tensor,
    corner: tuple[int, int],
    poolings: int,
    references: tuple[Sequence[Tensor], Sequence[Tensor]],
    features: tuple[Features, Features],
    taps: Sequence[str],
    weights: tuple[float, float, float],
    to_rgb: Callable[[Tensor], Tensor],
) -> float:
    """w_d L(x_d, x̂_d) + w_g L(x_g, x̂_g) + w_b L_b for one patch (1, 3, P, P) embedded in `window` (1, 3, h, w)."""
    pooled = F.avg_pool2d(patch, 2**poolings)
    embedded = window.clone()
    top, left = corner
    embedded[..., top : top + pooled.shape[2], left : left + pooled.shape[3]] = pooled
    detail, overview, boundary = weights
    loss = 0.0
    for weight, picture, reference, network in zip(
        (detail, overview), (patch, embedded), references, features, strict=True
    ):
        loss += weight * texture_loss(_arrays(network(picture)), _arrays(reference), taps)
    moved = (held * (to_rgb(start) - to_rgb(patch)) * 255.0).double()
    return loss + boundary * float(moved.square().sum()) / moved.numel()


def best_window(
    picture: Tensor, hole: np.ndarray, corner: tuple[int, int], side: int, network: Features, taps: Sequence[str]
) -> tuple[int, int]:
    """Top and left of the 64-pixel lattice's window nearest to the masked patch at `corner`."""
    top, left = corner
    masks = mask_chain(hole[top : top + side, left : left + side], taps)
    target = _arrays(network(picture[..., top : top + side, left : left + side]))
    best, nearest = (0, 0), np.inf
    for y in range(0, hole.shape[0] - side + 1, 64):
        for x in range(0, hole.shape[1] - side + 1, 64):
            if hole[y : y + side, x : x + side].any():
                continue
            candidate = _arrays(network(picture[..., y : y + side, x : x + side]))
            distance = 0.0
            for ours, theirs, tap, known in zip(target, candidate, taps, masks, strict=True):
                if known.any():
                    for a, b in zip(
                        all_gramians(ours, DELTA[tap], known), all_gramians(theirs, DELTA[tap], known), strict=True
                    ):
                        distance += float(((a - b) ** 2).sum()) / (4 * len(ours) ** 2)
            if distance < nearest:
                best, nearest = (y, x), distance
    return best


def _arrays(features: Sequence[Tensor]) -> list[np.ndarray]:
    return [tap[0].detach().double().cpu().numpy() for tap in features]


def one_thread() -> None:
    torch.set_num_threads(1)


def differentiable_loss(found: Sequence[Tensor], wanted: Sequence[Sequence[Tensor]], taps: Sequence[str]) -> Tensor:
    """`texture_loss` of features (1, C, h, w), one a tap, from Gramians as `shifted_gramians` makes them."""
    loss = torch.zeros(())
    for ours, theirs, tap in zip(found, wanted, taps, strict=True):
        plain, *shifted = [
            (a - b).square().sum() / (4 * len(a) ** 2)
            for a, b in zip(shifted_gramians(ours, DELTA[tap]), theirs, strict=True)
        ]
        loss = loss + 1e6 * plain + 1e7 * (shifted[0] + shifted[1])
    return loss


def shifted_gramians(features: Tensor, delta: int) -> list[Tensor]:
    """`all_gramians` as matrix products."""
    height, width = features.shape[-2:]
    found = []
    for dx, dy in ((0, 0), (delta, 0), (0, delta)):
        here = features[0, :, : height - dy, : width - dx].flatten(1)
        there = features[0, :, dy:, dx:].flatten(1)
        found.append(here @ there.T / max(1, here.shape[1]))
    return found


def optimise_patch(
    start: Tensor, held: Tensor, reference: Tensor, network: Features, taps: Sequence[str], evaluations: int
) -> tuple[Tensor, int]:
    """One patch (1, 3, P, P) in RGB from 0 to 1 by SciPy's L-BFGS-B, all of it through the network every time.

    `held` (1, 1, P, P) is 1 where the boundary loss, of weight 10 in 8-bit steps, holds the start. Returns the patch
    and the number of evaluations it took.
    """
    with torch.no_grad():
        wanted = [shifted_gramians(tap, DELTA[name]) for tap, name in zip(network(reference), taps, strict=True)]

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        patch = torch.from_numpy(flat).float().view_as(start).requires_grad_()
        moved = held * (patch - start) * 255.0
        loss = differentiable_loss(network(patch), wanted, taps) + 10.0 * moved.square().mean()
        (gradient,) = torch.autograd.grad(loss, patch)
        return float(loss.detach()), gradient.double().flatten().numpy()

    found = minimize(
        evaluate,
        start.double().flatten().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * start.numel(),
        options={"maxfun": evaluations, "maxiter": evaluations, "maxcor": 15, "ftol": 0.0, "gtol": 0.0},
    )
    return torch.from_numpy(found.x).float().view_as(start), int(found.nfev)
