"""Outgoing mail: written to files unless a mail server is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from webapp.settings.env import env_bool, env_choice, env_int, env_str


@dataclass(frozen=True, slots=True)
class MailSettings:
    backend: str
    folder: Path
    host: str
    port: int
    user: str
    password: str
    use_tls: bool
    sender: str
    verification: str


def mail_settings(var_dir: Path) -> MailSettings:
    """Without `EMAIL_HOST` each message becomes a file in the data folder's mail/, so that links in it can be used."""
    host = env_str("EMAIL_HOST", "")
    return MailSettings(
        backend=f"django.core.mail.backends.{'smtp' if host else 'filebased'}.EmailBackend",
        folder=var_dir / "mail",
        host=host,
        port=env_int("EMAIL_PORT", 587, minimum=1, maximum=65535),
        user=env_str("EMAIL_USER", ""),
        password=env_str("EMAIL_PASSWORD", ""),
        use_tls=env_bool("EMAIL_TLS", True),
        sender=env_str("EMAIL_FROM", "Reweave <reweave@localhost>"),
        verification=env_choice("EMAIL_VERIFICATION", "optional", ("none", "optional", "mandatory")),
    )
