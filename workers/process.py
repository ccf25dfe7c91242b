"""What one process of the pool holds: its engine, its supervisor, its runner. Made after the fork, before any job."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from billiard.process import current_process

from inpainting.catalog import offered
from inpainting.half_precision import Wanted
from inpainting.imaging import Photo, decode, encode
from inpainting.selection import abilities
from webapp.settings.env import env_bool, env_choice, env_int, env_str
from workers.devices import assign_card

if TYPE_CHECKING:
    from inpainting.engine import Engine
    from workers.evaluations import EvaluationRunner
    from workers.runner import Runner
    from workers.supervisor import Holdings, Supervisor

logger = logging.getLogger(__name__)

_WAIT_BEFORE_NEXT_TRY = 3.0
_WARM_SIDE = 64

_supervisor: Supervisor | None = None
_runner: Runner | None = None
_evaluator: EvaluationRunner | None = None


def set_up(node: str, queues: Sequence[str]) -> None:
    """Load PyTorch and the engine, warm them up and report for work.

    A process that cannot do this ends, slowly enough for the pool's replacement not to become a storm.
    """
    global _supervisor, _runner, _evaluator
    try:
        assign_card(getattr(current_process(), "index", 0))
        from inpainting.device import resolve_device
        from inpainting.engine import Engine
        from workers.evaluations import EvaluationRunner
        from workers.runner import Runner
        from workers.supervisor import Supervisor

        engine = Engine(
            device=env_str("WORKER_DEVICE", "auto"),
            model_memory=_model_memory(),
            precision=env_choice("WORKER_PRECISION", "auto", get_args(Wanted)),
        )
        if env_bool("WORKER_WARM_UP", True):
            _warm_up(engine)
        supervisor = Supervisor(
            f"{node}:{os.getpid()}",
            device=resolve_device(engine.device),
            queues=",".join(queues),
            abilities=abilities(),
            holds=lambda: holdings(engine),
        )
        supervisor.start()
        _runner = Runner(
            engine,
            supervisor,
            cpu=lambda: Engine(device="cpu", model_memory=_model_memory()),
            batch=env_int("WORKER_BATCH", 0, minimum=0, maximum=64) or None,
        )
        _supervisor = supervisor
        _evaluator = EvaluationRunner(engine, supervisor.name, resolve_device(engine.device))
    except Exception:  # Celery would log it and let the process take jobs all the same
        logger.exception("This worker process cannot start.")
        time.sleep(_WAIT_BEFORE_NEXT_TRY)
        os._exit(1)


def runner() -> Runner:
    """This process's runner; `set_up` made it."""
    if _runner is None:
        raise RuntimeError("This process was not set up as a worker: jobs need Celery's prefork pool.")
    return _runner


def evaluator() -> EvaluationRunner:
    """This process's runner of evaluations; `set_up` made it."""
    if _evaluator is None:
        raise RuntimeError("This process was not set up as a worker: evaluations need Celery's prefork pool.")
    return _evaluator


def holdings(engine: Engine) -> Holdings:
    """What this process holds at the moment, for the page of workers."""
    from workers.supervisor import Holdings

    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    torch = sys.modules.get("torch")
    on_card = torch.cuda.memory_reserved() if torch is not None and torch.cuda.is_initialized() else 0
    return Holdings(loaded=engine.models.sizes(), memory=resident, card_memory=on_card)


def _model_memory() -> int:
    return env_int("WORKER_MODEL_MEMORY_MB", 4000, minimum=0, maximum=1_000_000) * 1_000_000


def sign_off() -> None:
    """The process ends in order."""
    if _supervisor is not None:
        _supervisor.end()


def _warm_up(engine: Engine) -> None:
    """Fill a tiny picture with each quick model, so that no first job waits for imports, weights and first calls."""
    noise = np.random.default_rng(0).integers(0, 256, (_WARM_SIDE, _WARM_SIDE, 3), dtype=np.uint8)
    photo = decode(encode(Photo(noise), "PNG"))
    hole = np.zeros((_WARM_SIDE, _WARM_SIDE), dtype=bool)
    hole[24:40, 24:40] = True
    for entry in offered():
        if entry.cost == "slow":
            importlib.import_module(entry.factory.partition(":")[0])  # PyTorch takes seconds to import
        else:
            engine.fill(photo, hole, model=entry.key)
