"""What staff's buttons send. Each ends with a redirect to where the button was, and a notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from webapp.errors import Refusal
from webapp.jobs.models import Job
from webapp.operations import services
from webapp.operations.access import staff_of, staff_only

if TYPE_CHECKING:
    from webapp.accounts.models import User

_MOST_AT_ONCE = 500
_DONE = {
    "hold": "held",
    "release": "released",
    "reject": "rejected",
    "cancel": "cancelled",
    "retry": "submitted again",
    "priority": "given their priority",
}


@staff_only
@require_POST
def act_on_jobs(request: HttpRequest) -> HttpResponseBase:
    """`action` on every `job` of the form, with `reason` and for a priority `priority`."""
    action = request.POST.get("action", "")
    if action not in _DONE:
        raise Refusal("no_such_action", "There is no such action.")
    chosen = _chosen(request)
    if not chosen:
        messages.warning(request, "Nothing was chosen. Tick the jobs first.")
        return redirect(_back(request))
    outcome = services.on_many(chosen, _doing(request, staff_of(request), action))
    if outcome.done:
        what = "1 job was" if outcome.done == 1 else f"{outcome.done} jobs were"
        messages.success(request, f"{what} {_DONE[action].replace('their', 'its' if outcome.done == 1 else 'their')}.")
    for sentence in outcome.refused[:3]:
        messages.error(request, sentence)
    if len(outcome.refused) > 3:
        messages.error(request, f"{len(outcome.refused) - 3} more could not be changed either.")
    return redirect(_back(request))


@staff_only
@require_POST
def act_on_worker(request: HttpRequest) -> HttpResponseBase:
    """`action` “drain” or “resume” on the worker `node`."""
    node, reason = request.POST.get("node", ""), request.POST.get("reason", "")
    if request.POST.get("action") == "drain":
        services.drain(staff_of(request), node, reason=reason)
        messages.success(request, f"{node} finishes what it runs and takes nothing more.")
    elif request.POST.get("action") == "resume":
        services.resume(staff_of(request), node, reason=reason)
        messages.success(request, f"{node} works again.")
    else:
        raise Refusal("no_such_action", "There is no such action.")
    return redirect("operations:workers")


def _chosen(request: HttpRequest) -> list[Job]:
    ids = []
    for text in request.POST.getlist("job"):
        try:
            ids.append(UUID(text))
        except ValueError:
            raise Refusal("bad_job", "“job” must be a job's id.") from None
    if len(ids) > _MOST_AT_ONCE:
        raise Refusal("too_many", f"At most {_MOST_AT_ONCE} jobs can be changed at once.")
    return list(Job.objects.filter(pk__in=ids).select_related("owner", "source", "mask").order_by("created_at", "pk"))


def _doing(request: HttpRequest, staff: User, action: str) -> Callable[[Job], Job]:
    reason = request.POST.get("reason", "").strip()[: services.LONGEST_REASON]
    if action == "priority":
        try:
            priority = int(request.POST.get("priority", ""))
        except ValueError:
            raise Refusal("bad_priority", "A priority is a whole number.") from None
        return lambda job: services.set_priority(staff, job, priority, reason=reason)
    do = {
        "hold": services.hold,
        "release": services.release,
        "reject": services.reject,
        "cancel": services.cancel,
        "retry": services.retry,
    }[action]
    return lambda job: do(staff, job, reason=reason)


def _back(request: HttpRequest) -> str:
    """Where the form says it stood, if that is a page of ours."""
    target = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if ours and target.startswith(reverse("operations:queue")) else reverse("operations:queue")
