"""When people are told that something ended."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.settings.env import env_int


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """From which length on the end of a job is told, by which way."""

    job_seconds: int
    """Seconds from asking to the end, from which on a job's end is a notification."""
    job_mail_minutes: int
    """Minutes from which on it is also an e-mail; 0 for never."""
    days: int
    """How long one that was read is kept; 0 for ever."""


def notice_settings() -> NoticeSettings:
    """`NOTICE_JOB_SECONDS`, `NOTICE_JOB_MAIL_MINUTES` and `NOTICE_DAYS`."""
    return NoticeSettings(
        job_seconds=env_int("NOTICE_JOB_SECONDS", 60, minimum=0, maximum=1_000_000),
        job_mail_minutes=env_int("NOTICE_JOB_MAIL_MINUTES", 10, minimum=0, maximum=100_000),
        days=env_int("NOTICE_DAYS", 90, minimum=0, maximum=10_000),
    )
