"""Where models run, and how torch is set up while they do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from inpainting.models.base import FillError, OutOfMemory

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(wanted: str) -> str:
    """``"cpu"`` or ``"cuda"``; raises `FillError` when CUDA is asked for and absent, or the name is unknown."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise FillError(f"There is no device {wanted!r}. Use auto, cpu or cuda.")
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise FillError("There is no CUDA device on this machine. Use cpu or auto.")
    return "cpu"


@contextmanager
def repeatable() -> Iterator[None]:
    """Make torch choose repeatable algorithms inside; the settings before are restored."""
    # cuBLAS reads this when its first handle is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch
    import torch.utils.deterministic

    settings: Any = torch.utils.deterministic  # a module with a property, which type checkers do not see
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = settings.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except torch.OutOfMemoryError:
        raise OutOfMemory("There is not enough memory on the graphics card for this photo and model.") from None
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        settings.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = benchmark
