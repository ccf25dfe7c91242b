"""``python -m inpainting``: the library's commands and, where they are installed with them, the others'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inpainting.cli import main
from inpainting.evaluation.cli import add_commands as add_evaluation
from inpainting.training.cli import add_commands as add_training

if TYPE_CHECKING:
    from inpainting.cli import Commands


def _add_all(commands: Commands) -> None:
    add_evaluation(commands)
    add_training(commands)


raise SystemExit(main(more=_add_all))
