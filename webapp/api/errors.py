"""Every error of the API is ``{"code", "message"}``."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from webapp.errors import Refusal, error_response, refusal_response

logger = logging.getLogger(__name__)


def install(api: NinjaAPI) -> None:
    """Give `api` our handlers in place of its own."""
    api.add_exception_handler(Refusal, _refusal)
    api.add_exception_handler(ValidationError, _validation)
    api.add_exception_handler(Http404, lambda request, exc: error_response(404))
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(RequestDataTooBig, lambda request, exc: error_response(413))
    api.add_exception_handler(SuspiciousOperation, lambda request, exc: error_response(400))
    api.add_exception_handler(MultiPartParserError, lambda request, exc: error_response(400))
    api.add_exception_handler(Exception, _failure)


def _refusal(request: HttpRequest, exc: Refusal | type[Refusal]) -> HttpResponse:
    assert isinstance(exc, Refusal)  # noqa: S101  # the framework's type allows a class, which it never passes
    return refusal_response(exc)


def _http_error(request: HttpRequest, exc: HttpError | type[HttpError]) -> HttpResponse:
    assert isinstance(exc, HttpError)  # noqa: S101
    if exc.status_code == 403 and "CSRF" in exc.message:
        message = "This page is out of date; reload it and try again."
        return JsonResponse({"code": "csrf_failed", "message": message}, status=403)
    return error_response(exc.status_code)


def _validation(request: HttpRequest, exc: ValidationError | type[ValidationError]) -> HttpResponse:
    assert isinstance(exc, ValidationError)  # noqa: S101
    return JsonResponse({"code": "invalid", "message": _sentence(exc.errors)}, status=422)


def _sentence(errors: list[dict[str, Any]]) -> str:
    """The first complaint of the validation, in words."""
    first = errors[0]
    place = [str(part) for part in first["loc"][1:]]
    field = place[-1] if place else str(first["loc"][0])
    if first["type"] == "missing":
        return f"“{field}” is missing."
    reason = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"“{field}” cannot be used: {reason[:1].lower()}{reason[1:]}."


def _failure(request: HttpRequest, exc: Exception | type[Exception]) -> HttpResponse:
    logger.error("%s %s failed", request.method, request.path, exc_info=exc if isinstance(exc, Exception) else True)
    got_request_exception.send(sender=None, request=request)
    if isinstance(exc, OperationalError | InterfaceError):  # the database is locked, gone or starting anew
        response = error_response(503)
        response["Retry-After"] = "5"
        return response
    return error_response(500)
