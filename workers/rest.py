"""A drained worker rests: it claims nothing, and takes no more than one token out of the others' way."""

from __future__ import annotations

import time

from webapp.operations.fleet import is_drained
from workers import shutdown

_LOOK_EVERY = 0.5
_LONGEST = 60.0
"""Seconds a process sits on one token. Far below the time limit of the task, which would end the process."""


def rest_while_drained(worker: str) -> bool:
    """Wait as long as the process named `worker` is drained; True when it may claim, False when it must not.

    A drained process that gave its token up at once would be handed the next one at once, and jobs would wait for
    the sweep although other workers are free. So it keeps the one it has: its worker is given no more, and the sweep
    makes up for the one. When it is resumed it claims right away.
    """
    since = time.monotonic()
    while is_drained(worker):
        if shutdown.deadline() is not None or time.monotonic() - since > _LONGEST:
            return False
        time.sleep(_LOOK_EVERY)
    return True
