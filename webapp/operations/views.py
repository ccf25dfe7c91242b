"""Staff's pages: the live queue, a job, the workers, the numbers, the audit log."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from webapp.errors import not_found
from webapp.jobs.models import Job
from webapp.jobs.payloads import model_title
from webapp.operations import audit as audit_log
from webapp.operations import estimates, explain, fleet
from webapp.operations import numbers as figures
from webapp.operations.access import staff_of, staff_only
from webapp.operations.export import csv_response
from webapp.operations.models import AuditEntry, DrainedNode, Retry
from webapp.operations.queue import Filters, choices, page_of, summary
from webapp.operations.services import HIGHEST_PRIORITY, LONGEST_REASON, LOWEST_PRIORITY, awaits_review

_AUDIT_PER_PAGE = 50
_LIMITS = {"lowest": LOWEST_PRIORITY, "highest": HIGHEST_PRIORITY, "longest_reason": LONGEST_REASON}


@staff_only
@require_safe
def queue(request: HttpRequest) -> HttpResponseBase:
    """The live queue. Every two seconds the page asks for its changing part, which is sent when it did change."""
    filters = Filters.read(request.GET)
    page = page_of(filters, request.GET.get("page", "1"))
    live = {
        "summary": summary(),
        "page": page,
        "rows": [{"job": each, "title": model_title(each.model), "review": awaits_review(each)} for each in page],
        "filters": filters,
        "review_mode": settings.JOBS.review,
        "only_filter_is_state": filters == Filters(state=filters.state),
    }
    text = render_to_string("operations/queue_live.html", live, request)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    if request.headers.get("HX-Request"):
        if request.GET.get("mark") == mark:
            return HttpResponse(status=204)  # which htmx takes for “leave everything as it is”
        return HttpResponse(render_to_string("operations/queue_part.html", {"live": text, "mark": mark}, request))
    context = {"live": text, "mark": mark, "filters": filters, "choices": choices(), "limits": _LIMITS, "tab": "queue"}
    return render(request, "operations/queue.html", context)


@staff_only
@require_safe
def job(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Everything about one job."""
    found = Job.objects.select_related("owner", "picture", "source", "mask", "result").filter(pk=job_id).first()
    if found is None:
        raise not_found()
    parts = explain.stages(found)
    context: dict[str, Any] = {
        "tab": "queue",
        "job": found,
        "title": model_title(found.model),
        "review": awaits_review(found),
        "reasons": explain.why_waiting(found),
        "expected": estimates.expected(found),
        "events": explain.timeline(found),
        "parts": parts,
        "bar": _bar(parts),
        "total": sum(part.seconds for part in parts),
        "attempts": explain.attempts(found),
        "original": Retry.objects.filter(job=found.pk).first(),
        "retries": Retry.objects.filter(original=found.pk),
        "entries": AuditEntry.objects.filter(target=str(found.pk))[:20],
        "limits": _LIMITS,
        "ended": found.status in {"succeeded", "failed", "cancelled"},
    }
    return render(request, "operations/job.html", context)


@staff_only
@require_safe
def workers(request: HttpRequest) -> HttpResponseBase:
    """Who fills, on what, and how well they are."""
    every = fleet.workers()
    seen = {worker.node for worker in every}
    away = DrainedNode.objects.exclude(node__in=seen)
    context = {
        "tab": "workers",
        "workers": every,
        "away": away,
        "drained": {node.node: node for node in DrainedNode.objects.filter(node__in=seen)},
    }
    template = "operations/workers_live.html" if request.headers.get("HX-Request") else "operations/workers.html"
    return render(request, template, context)


@staff_only
@require_safe
def numbers(request: HttpRequest) -> HttpResponseBase:
    """What was done in the last day, week or month."""
    span = request.GET.get("span", "day")
    span = span if span in figures.SPANS else "day"
    spans = [(key, label) for key, (label, _) in figures.SPANS.items()]
    context = {"tab": "numbers", "numbers": figures.numbers(span), "spans": spans, "span": span}
    return render(request, "operations/numbers.html", context)


@staff_only
@require_safe
def audit(request: HttpRequest) -> HttpResponseBase:
    """Who of the staff did what, latest first; `q` looks for a text, `action` for a kind."""
    text = request.GET.get("q", "").strip()[:120]
    action = request.GET.get("action", "")
    action = action if action in AuditEntry.Action.values else ""
    entries = AuditEntry.objects.all()
    entries = entries.about(text) if text else entries
    entries = entries.filter(action=action) if action else entries
    page = Paginator(entries, _AUDIT_PER_PAGE).get_page(request.GET.get("page", "1"))
    context = {"tab": "audit", "page": page, "q": text, "action": action, "actions": AuditEntry.Action.choices}
    context["query"] = urlencode({name: value for name, value in (("q", text), ("action", action)) if value})
    return render(request, "operations/audit.html", context)


@staff_only
@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """The jobs that the filters let through, as CSV. Taking data along is noted in the audit log."""
    filters = Filters.read(request.GET)
    if request.method == "GET":
        audit_log.record(staff_of(request), AuditEntry.Action.EXPORT, details=filters.query() or "not ended")
    jobs = filters.apply(Job.objects.all()).order_by("created_at", "pk")
    return csv_response(request, jobs, f"reweave-jobs-{timezone.localtime():%Y-%m-%d}.csv")


def _bar(parts: list[explain.Part]) -> list[dict[str, Any]]:
    """The stages as pieces of a bar a thousand units wide; the last one ends where the bar ends."""
    total = sum(part.seconds for part in parts)
    pieces, at = [], 0.0
    for part in parts:
        width = 1000 * part.seconds / total if total else 0.0
        pieces.append({"part": part, "x": round(at, 2), "width": round(width, 2), "percent": width / 10})
        at += width
    return pieces
