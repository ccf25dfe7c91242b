"""A texture memory and the differentiable retrieval of its best patches.

Source: Xu et al., "Texture Memory-Augmented Deep Patch-Based Image Inpainting", section III-B, equations (2) to (5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inpainting.layers.patches import NORM_EPSILON, best_matches

Selection = Literal["sampled", "dense"]

DENSE_LIMIT = 2048
"""Most windows that a dense memory holds; above it only every n-th one is kept."""
MOST_HOLE = 0.5
"""A window with a larger share of hole tells nothing about the photo's texture."""


@dataclass(frozen=True, slots=True)
class TextureMemory:
    """Which windows of a batch of images are in the memory."""

    windows: Tensor
    """(M, 3) int64: image index, top, left; grouped by image in ascending order."""
    hole_share: Tensor
    """(M,) float32: the share of each window that is hole and therefore filled from the coarse result."""


def choose_memory(
    mask: Tensor,
    *,
    patch: int,
    count: int,
    stride: int,
    at_least: int = 1,
    selection: Selection = "sampled",
    generator: torch.Generator | None = None,
) -> TextureMemory:
    """Choose the windows of one image's texture memory.

    A sliding window of side `patch` and step `stride` lists the candidates without any hole pixel. Where these are
    fewer than `count`, the step is halved; where they are still fewer, the candidates with the least hole are taken
    (in reading order among equals), as the paper does for irregular holes. Where they are more, ``"sampled"``
    chooses `count` at random and ``"dense"`` keeps all of them.

    Args:
        mask: (1, 1, H, W), 1 in the hole; H and W at least `patch`.
        at_least: windows that are more than half hole are left out unless fewer than this many remain.
        generator: the source of randomness (CPU); the default generator when ``None``.
    """
    for step in (stride, stride // 2):
        windows, share = _window_shares(mask, patch, step)
        whole = (share == 0).nonzero()[:, 0]
        if len(whole) >= count:
            break
    if len(whole) >= count:
        if selection == "sampled":
            kept = whole[torch.randperm(len(whole), generator=generator)[:count].sort().values]
        else:
            kept = whole[:: -(-len(whole) // DENSE_LIMIT)]
    else:
        order = share.sort(stable=True).indices
        useful = max(int((share <= MOST_HOLE).sum()), at_least)
        kept = order[: min(count, useful)]
    return TextureMemory(windows[kept].to(mask.device), share[kept].to(mask.device))


def _window_shares(mask: Tensor, patch: int, step: int) -> tuple[Tensor, Tensor]:
    share = F.avg_pool2d(mask.float(), patch, step)[0, 0].cpu()
    rows, columns = share.shape
    top, left = torch.meshgrid(torch.arange(rows) * step, torch.arange(columns) * step, indexing="ij")
    windows = torch.stack([torch.zeros_like(top), top, left], dim=-1).view(-1, 3)
    return windows, share.flatten()


class Correspondence(nn.Module):
    """Normalised non-local similarity between coarse patches and the texture memory, equation (3).

    Two shallow networks of two convolutions each embed the coarse patches (φ) and the memory's patches (θ); the
    similarity of a pair is the cosine of the flattened embeddings.
    """

    def __init__(self, channels: int, *, slope: float = 0.2) -> None:
        super().__init__()
        self.phi = _embedding(channels, slope)
        self.theta = _embedding(channels, slope)
        # Equal at the start: the similarity then compares like with like from the first step on.
        self.theta.load_state_dict(self.phi.state_dict())

    def embed_coarse(self, patches: Tensor) -> Tensor:
        """Embeddings φ, (N, D), of coarse patches (N, 3, p, p); not normalised."""
        embedded: Tensor = self.phi(patches).flatten(1)
        return embedded

    def embed_memory(self, patches: Tensor) -> Tensor:
        """Embeddings θ, (M, D), of memory patches (M, 3, p, p); not normalised."""
        embedded: Tensor = self.theta(patches).flatten(1)
        return embedded

    def forward(self, coarse: Tensor, memory: Tensor) -> Tensor:
        """Similarities in [-1, 1], (N, M)."""
        return cosines(self.embed_coarse(coarse), self.embed_memory(memory))


def cosines(queries: Tensor, keys: Tensor) -> Tensor:
    """Cosines (N, M) of the rows of (N, D) and (M, D), with gradients; float32 whatever the rows' type.

    Dividing the products by the norms spares the normalised copies of both sides and their gradients.
    """
    with torch.autocast(queries.device.type, enabled=False):
        queries, keys = queries.float(), keys.float()
        norms = queries.norm(dim=1, keepdim=True) * keys.norm(dim=1)
        similarity: Tensor = queries @ keys.T / norms.clamp_min(NORM_EPSILON)
        return similarity


def _embedding(channels: int, slope: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1),
        nn.LeakyReLU(slope),
        nn.Conv2d(channels, channels, 3, padding=1),
    )


def ranked(similarity: Tensor, k: int) -> Tensor:
    """Indices (N, k) of the `k` best memory patches, best first; among equals the lower index comes first.

    A memory of fewer than `k` patches is gone through again from its best one.
    """
    order = similarity.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return _repeated(order, k)


def retrieve_top_k(similarity: Tensor, memory: Tensor, k: int, temperature: float) -> tuple[Tensor, Tensor]:
    """The `k` best patches for every coarse patch, exact forwards and soft backwards, equations (4) and (5).

    Args:
        similarity: (N, M), see `Correspondence`.
        memory: (M, 3, p, p). Its pixels are data: no gradient flows into them.
        temperature: factor on the similarities before the softmax over the memory.

    Returns:
        Patches (N, k, 3, p, p), bit for bit those of the memory, and their indices (N, k). Gradients reach
        `similarity` as if every patch were the softmax-weighted sum of the whole memory.
    """
    memory = memory.detach()
    indices = ranked(similarity.detach(), k)
    patches = memory[indices]
    if torch.is_grad_enabled() and similarity.requires_grad:
        soft = weighted_sum(similarity, memory, temperature)
        # The bracket is exactly zero, so the forward value is exactly the retrieved patch.
        patches = patches + (soft - soft.detach()).unsqueeze(1)
    return patches, indices


def weighted_sum(similarity: Tensor, memory: Tensor, temperature: float) -> Tensor:
    """The softmax-weighted mean of the memory for every coarse patch, (N, 3, p, p): what top-k retrieval replaces."""
    weights = (similarity * temperature).softmax(dim=1)
    return (weights @ memory.detach().flatten(1)).view(-1, *memory.shape[1:])


@torch.no_grad()
def find_patches(
    correspondence: Correspondence,
    coarse: Callable[[int, int], Tensor],
    coarse_count: int,
    memory: Callable[[int, int], Tensor],
    memory_count: int,
    k: int,
    *,
    chunk: int = 256,
    on_chunk: Callable[[int], None] | None = None,
) -> Tensor:
    """Indices (N, k) as of `ranked`, in bounded memory, for inference.

    `coarse` and `memory` cut out the patches from a start to an end, which happens `chunk` at a time; only the
    memory's embeddings are held for all of it. `on_chunk` gets the number of coarse patches that are done.
    """
    keys = torch.cat(
        [
            correspondence.embed_memory(memory(first, min(first + chunk, memory_count)))
            for first in range(0, memory_count, chunk)
        ]
    )
    rows = []
    for start in range(0, coarse_count, chunk):
        end = min(start + chunk, coarse_count)
        rows.append(best_matches(correspondence.embed_coarse(coarse(start, end)), keys, top=k).indices)
        if on_chunk is not None:
            on_chunk(end)
    return _repeated(torch.cat(rows)[:, : min(k, memory_count)], k)


def _repeated(order: Tensor, k: int) -> Tensor:
    return order[:, torch.arange(k, device=order.device) % order.shape[1]]
