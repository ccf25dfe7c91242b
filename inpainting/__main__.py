"""``python -m inpainting``."""

from inpainting.cli import main

raise SystemExit(main())
