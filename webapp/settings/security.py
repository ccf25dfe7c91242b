"""Headers, cookies and transport security."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from csp.constants import NONE, SELF

from webapp.settings.env import env_bool, env_int


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What follows from being served over TLS and through proxies."""

    https: bool
    hsts_seconds: int
    trusted_proxies: int
    use_forwarded_host: bool


def transport_settings() -> TransportSettings:
    """`HTTPS`, `HSTS_SECONDS`, `TRUSTED_PROXIES` and `USE_X_FORWARDED_HOST`."""
    https = env_bool("HTTPS", False)
    hsts = env_int("HSTS_SECONDS", 3600, minimum=0, maximum=2 * 365 * 86400)
    return TransportSettings(
        https=https,
        hsts_seconds=hsts if https else 0,
        trusted_proxies=env_int("TRUSTED_PROXIES", 0, minimum=0, maximum=10),
        use_forwarded_host=env_bool("USE_X_FORWARDED_HOST", False),
    )


def content_security_policy(*, https: bool) -> dict[str, Any]:
    """Everything from this site only; the editor also makes pictures out of canvases (blob:, data:).

    There is no inline script or style anywhere, so neither needs an exception. `'self'` covers the websocket.
    """
    directives: dict[str, Any] = {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
    if https:
        directives["upgrade-insecure-requests"] = True
    return {"DIRECTIVES": directives}
