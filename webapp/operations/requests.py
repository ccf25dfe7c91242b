"""Each request gets an id, for the log, and is counted and timed, for Prometheus."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Gauge, Histogram

from webapp.settings.context import about_request

REQUEST_ID = "X-Request-ID"
_USABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

# With PROMETHEUS_MULTIPROC_DIR set, as `webapp/gunicorn.py` does, all web processes count into shared files.
REQUESTS = Counter(
    "reweave_http_requests", "Requests answered.", ["method", "view", "status"], registry=None
)  # fmt: skip
SECONDS = Histogram(
    "reweave_http_seconds", "How long requests took.", ["view"], buckets=_BUCKETS, registry=None
)  # fmt: skip
SOCKETS = Gauge("reweave_sockets", "Open websockets.", multiprocess_mode="livesum", registry=None)
PREVIEWS_SERVED = Counter("reweave_previews_served", "Live previews fetched by browsers.", registry=None)
COUNTED = (REQUESTS, SECONDS, SOCKETS, PREVIEWS_SERVED)

_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}


class RequestMiddleware:
    """The outermost one: whatever the others do happens with the request's id set."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with an `X-Request-ID`: the one that a proxy gave, if it is harmless, else a new one."""
        given = request.headers.get(REQUEST_ID, "")
        request_id = given if _USABLE.fullmatch(given) else uuid4().hex
        began = time.perf_counter()
        with about_request(request_id):
            response = self.get_response(request)
        response[REQUEST_ID] = request_id
        match = request.resolver_match
        view = (match.view_name or "unnamed") if match is not None else "none"
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(method, view, str(response.status_code)).inc()
        SECONDS.labels(view).observe(time.perf_counter() - began)
        return response
