"""The ASGI application: HTTP by Django, websockets by Channels."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
_http = get_asgi_application()  # sets Django up, which the imports below need

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings

from webapp.jobs.routing import websocket_urlpatterns
from webapp.photos.uploads import ENVELOPE_BYTES, BodyLimit

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(_http, settings.MAX_UPLOAD_BYTES + ENVELOPE_BYTES),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
