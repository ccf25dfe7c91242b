"""Who gets in: staff. To everybody else these pages do not exist."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from webapp.errors import not_found

if TYPE_CHECKING:
    from webapp.accounts.models import User

View = Callable[..., HttpResponseBase]


def is_staff(request: HttpRequest) -> bool:
    """Signed in, active, and of the staff."""
    return request.user.is_authenticated and request.user.is_active and request.user.is_staff


def staff_only(view: View) -> View:
    """404 for everybody but staff, so that nobody learns what is here; nothing of it is kept by caches."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_staff(request):
            raise not_found()
        return view(request, *args, **kwargs)

    return never_cache(guarded)


def staff_of(request: HttpRequest) -> User:
    """The member of staff who asks; call it behind `staff_only`."""
    return cast("User", request.user)
