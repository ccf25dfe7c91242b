"""Websocket addresses."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path

from webapp.jobs.consumers import LiveConsumer, NoSuchSocket

_live: Any = LiveConsumer.as_asgi()  # Channels' router takes ASGI applications where Django's takes views
_anything_else: Any = NoSuchSocket.as_asgi()

websocket_urlpatterns = [path("ws/live/", _live), re_path(r"", _anything_else)]
