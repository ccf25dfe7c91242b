"""``python -m inpainting``: the library's commands and, when it is installed with them, training's."""

from inpainting.cli import main
from inpainting.training.cli import add_commands

raise SystemExit(main(more=add_commands))
