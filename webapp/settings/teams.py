"""What new teams get, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.settings.env import env_int


@dataclass(frozen=True, slots=True)
class TeamSettings:
    """Zero stands for no limit."""

    most_per_user: int
    """How many teams one person may own."""
    storage: int
    """Bytes that a new team may take up."""
    compute: int
    """Seconds that a new team's jobs may run within 30 days."""
    invitation_days: int
    invitations_per_hour: int


def team_settings() -> TeamSettings:
    """`TEAMS_PER_USER`, `TEAM_STORAGE_MB`, `TEAM_COMPUTE_SECONDS`, `INVITATION_DAYS`, `INVITATIONS_PER_HOUR`."""
    return TeamSettings(
        most_per_user=env_int("TEAMS_PER_USER", 10, minimum=0, maximum=100_000),
        storage=env_int("TEAM_STORAGE_MB", 0, minimum=0, maximum=1_000_000_000) * 1024 * 1024,
        compute=env_int("TEAM_COMPUTE_SECONDS", 0, minimum=0, maximum=1_000_000_000),
        invitation_days=env_int("INVITATION_DAYS", 7, minimum=1, maximum=90),
        invitations_per_hour=env_int("INVITATIONS_PER_HOUR", 50, minimum=0, maximum=100_000),
    )
