"""The one way a service says no, and how a refusal reaches a browser or an API client."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import get_template, select_template
from django.utils.deprecation import MiddlewareMixin

API_PREFIX = "/api/"

# What an API client reads when something other than our own code turned its request down.
_SENTENCES: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request could not be understood."),
    401: ("sign_in_required", "Sign in first."),
    403: ("forbidden", "This request was refused; reload the page and try again."),
    404: ("not_found", "There is nothing at this address, or it is not yours."),
    405: ("method_not_allowed", "This address does not take requests of this kind."),
    413: ("too_big", "The request is too big."),
    429: ("too_many_requests", "Too many requests; wait a little and try again."),
    500: ("server_error", "Something went wrong on the server. It was logged."),
    503: ("unavailable", "The server is busy; try again in a moment."),
}


class Refusal(Exception):
    """A request that cannot be fulfilled; nothing was changed.

    `code` is stable and machine-readable, `message` is a sentence, `status` the HTTP status that fits.
    """

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def refusal_response(refusal: Refusal) -> HttpResponse:
    """The JSON answer for a refusal."""
    return _with_patience(JsonResponse({"code": refusal.code, "message": refusal.message}, status=refusal.status))


def _with_patience(response: HttpResponse) -> HttpResponse:
    """With the seconds after which to come back, where coming back helps."""
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "5"
    return response


def not_found() -> Refusal:
    """What everybody gets who asks for something that does not exist or belongs to somebody else."""
    code, message = _SENTENCES[404]
    return Refusal(code, message, status=404)


def error_body(status: int) -> dict[str, str]:
    """``{"code", "message"}`` for a plain HTTP status."""
    code, message = _SENTENCES.get(status, (f"http_{status}", f"{HTTPStatus(status).phrase}."))
    return {"code": code, "message": message}


def error_response(status: int) -> JsonResponse:
    """The JSON answer for a plain HTTP status."""
    return JsonResponse(error_body(status), status=status)


def server_error(request: HttpRequest) -> HttpResponse:
    """The last resort: 503 when it is the database that cannot be used, else 500. Asks the database nothing."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    status = 503 if away else 500
    if request.path.startswith(API_PREFIX):
        response: HttpResponse = error_response(status)
    else:
        response = HttpResponse(get_template("500.html").render(), status=status)
    return _with_patience(response)


class ErrorsMiddleware(MiddlewareMixin):
    """Refusals outside the API become an error page; every error under /api/ becomes ``{"code", "message"}``.

    The second part covers what never reaches the API's own handlers: addresses that do not exist, wrong methods,
    a refused CSRF token, a host that is not allowed.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refusal):
            return None
        if request.path.startswith(API_PREFIX):
            return refusal_response(exception)
        template = select_template([f"{exception.status}.html", "400.html"])
        page = template.render({"message": exception.message, "code": exception.code}, request)
        return _with_patience(HttpResponse(page, status=exception.status))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code < 400 or not request.path.startswith(API_PREFIX) or _has_error_body(response):
            return response
        answer = error_response(response.status_code)
        for name in ("Allow", "Retry-After"):
            if name in response.headers:
                answer.headers[name] = response.headers[name]
        answer.cookies = response.cookies
        return answer


def _has_error_body(response: HttpResponseBase) -> bool:
    if not isinstance(response, HttpResponse) or "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        body = json.loads(response.content)
    except ValueError:
        return False
    return isinstance(body, dict) and {"code", "message"} <= body.keys()
