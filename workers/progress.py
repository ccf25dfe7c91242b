"""From a model's steps to what people see: throttled messages, small previews, an estimate of the time left."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from django.conf import settings
from PIL import Image

from inpainting.models.base import Cancelled
from webapp.jobs import events, previews
from workers.supervisor import Watch

if TYPE_CHECKING:
    from inpainting.engine import Progress

_PREVIEW_SIDE = 512
_LEAST_BETWEEN_PREVIEWS = 0.5  # seconds
PREVIEW_SHARE = 0.1
"""Previews may cost at most this share of the time."""
_TOO_EARLY_TO_TELL = 0.02
_SMOOTHING = 0.3


class Reporter:
    """The `on_step` of one attempt."""

    def __init__(self, watch: Watch, *, preview_share: float = PREVIEW_SHARE) -> None:
        """Making previews takes at most `preview_share` of the time."""
        self._watch = watch
        self._preview_share = preview_share
        self._seq = 0
        self._next_message = 0.0
        self._next_preview = 0.0
        self._started = time.monotonic()
        self._left: float | None = None
        self._preview: tuple[int, list[int]] | None = None

    def __call__(self, progress: Progress) -> None:
        """Pass one step on, unless one was passed on less than a quarter of a second ago.

        Raises `Cancelled` when the attempt must not go on.
        """
        if self._watch.stop is not None:
            raise Cancelled(self._watch.stop.value)
        now = time.monotonic()
        if now < self._next_message:
            return
        self._next_message = now + 1.0 / settings.JOBS.progress_per_second
        self._seq += 1
        if now >= self._next_preview:
            self._make_preview(progress)
        self._estimate(progress, now)
        self._watch.progress = {
            "stage": progress.stage,
            "fraction": progress.fraction,
            "steps_done": progress.steps_done,
            "steps_total": progress.steps_total,
            "seconds_left": self._left,
        }
        number, box = self._preview or (None, None)
        hint: events.ProgressHint = {
            "type": "job.progress",
            "job": str(self._watch.job.pk),
            "attempt": self._watch.job.attempt,
            "seq": self._seq,
            "stage": progress.stage,
            "fraction": progress.fraction,
            "steps_done": progress.steps_done,
            "steps_total": progress.steps_total,
            "seconds_left": self._left,
            "losses": None if progress.losses is None else dict(progress.losses),
            "preview": number,
            "box": box,
        }
        events.job_progress(hint)

    def _make_preview(self, progress: Progress) -> None:
        began = time.monotonic()
        preview = progress.render_preview(max_side=_PREVIEW_SIDE)
        if preview is None:
            return
        file = io.BytesIO()
        Image.fromarray(preview.rgba).save(file, "PNG", compress_level=1)
        job = self._watch.job
        number = previews.preview_number(job.attempt, self._seq)
        box = [int(side) for side in preview.box]
        if previews.publish_preview(job.pk, number, file.getvalue(), box):
            self._preview = (number, box)
        cost = time.monotonic() - began
        self._next_preview = began + max(_LEAST_BETWEEN_PREVIEWS, cost / self._preview_share)

    def _estimate(self, progress: Progress, now: float) -> None:
        """Seconds left if the rest goes as this attempt's part did, smoothed so that the number does not jump about."""
        done = progress.fraction - progress.resumed
        if done < _TOO_EARLY_TO_TELL:
            return
        left = (now - self._started) * (1.0 - progress.fraction) / done
        self._left = left if self._left is None else self._left + _SMOOTHING * (left - self._left)
