"""Runs one PatchMatch inpainting in a process of its own; started by `inpainting.models.baselines`, not imported.

Standard input: `HEADER` (height, width, patch radius, seed), then RGB bytes (H·W·3), then mask bytes (H·W, non-zero is
hole). Standard output: the filled RGB bytes. Standard error: the library's own report of scales and iterations. The
process ends at once when its standard input is closed, that is, when its parent is gone.
"""

from __future__ import annotations

import os
import struct
import sys
import threading

HEADER = struct.Struct("<IIII")


def _leave_with_parent() -> None:
    sys.stdin.buffer.read(1)  # returns only when the pipe is closed: nothing more is sent
    os._exit(1)


def main() -> None:
    """Read one request from standard input, fill it, write the result to standard output."""
    import numpy as np
    import patchmatch

    height, width, radius, seed = HEADER.unpack(sys.stdin.buffer.read(HEADER.size))
    image = np.frombuffer(sys.stdin.buffer.read(height * width * 3), np.uint8).reshape(height, width, 3)
    mask = np.frombuffer(sys.stdin.buffer.read(height * width), np.uint8).reshape(height, width)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    patchmatch.set_random_seed(seed)
    patchmatch.set_verbose(True)
    filled = patchmatch.inpaint(image, mask, patch_size=radius)
    sys.stdout.buffer.write(filled.tobytes())
    sys.stdout.buffer.flush()
    os._exit(0)  # the watching thread still reads; there is nothing to clean up


if __name__ == "__main__":
    main()
