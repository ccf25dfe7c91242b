"""Numbers for Prometheus at `/metrics`: every web process tells the same.

Jobs and workers are counted in the database at each scrape, requests and sockets by the web processes together."""

from __future__ import annotations

import hmac
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Min, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from webapp.errors import not_found
from webapp.jobs.models import Job
from webapp.jobs.previews import previews_made
from webapp.operations import requests
from webapp.operations.access import is_staff
from webapp.operations.fleet import workers
from webapp.operations.models import Attempt

BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper ends in seconds, for waits and runs alike."""
_QUEUES = ("interactive", "batch")


class StudioCollector(Collector):
    """Reads the queue, the workers and the book of attempts."""

    def collect(self) -> Iterator[Metric]:
        yield from _queue()
        yield from _workers()
        yield from _attempts()


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For those who bring `METRICS_TOKEN` as a bearer token, and for staff; 404 for everybody else."""
    if not (_brings_token(request) or is_staff(request)):
        raise not_found()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StudioCollector())
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        for counted in requests.COUNTED:
            registry.register(counted)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _brings_token(request: HttpRequest) -> bool:
    wanted = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    return bool(wanted) and hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())


def _queue() -> Iterator[Metric]:
    now = timezone.now()
    depth = GaugeMetricFamily("reweave_jobs", "Jobs that have not ended.", labels=["queue", "status"])
    oldest = GaugeMetricFamily(
        "reweave_oldest_waiting_seconds", "How long the oldest waiting job has waited.", labels=["queue"]
    )
    rows = {
        (queue, status): (count, since)
        for queue, status, count, since in Job.objects.active()
        .order_by()
        .values_list("queue", "status")
        .annotate(Count("pk"), Min("queued_at"))
    }
    for queue in _QUEUES:
        for status in ("held", "queued", "running"):
            count, since = rows.get((queue, status), (0, None))
            depth.add_metric([queue, status], count)
            if status == "queued":
                oldest.add_metric([queue], max(0.0, (now - since).total_seconds()) if since else 0.0)
    yield depth
    yield oldest


def _workers() -> Iterator[Metric]:
    every = workers()
    gauge = GaugeMetricFamily("reweave_workers", "Worker processes.", labels=["state"])
    for state in ("free", "busy", "drained", "silent"):
        gauge.add_metric([state], sum(worker.state == state for worker in every))
    yield gauge
    memory = GaugeMetricFamily(
        "reweave_worker_memory_bytes", "Memory that a worker process holds.", labels=["worker", "kind"]
    )
    loaded = Counter(key for worker in every if worker.alive for key in worker.loaded)
    for worker in every:
        if worker.alive:
            memory.add_metric([worker.name, "main"], worker.memory)
            memory.add_metric([worker.name, "card"], worker.card_memory)
    yield memory
    models = GaugeMetricFamily("reweave_loaded_models", "Processes that have a model loaded.", labels=["model"])
    for key, count in sorted(loaded.items()):
        models.add_metric([key], count)
    yield models
    made = CounterMetricFamily("reweave_previews", "Live previews made by workers, since Redis was started.")
    number = previews_made()
    if number is not None:
        made.add_metric([], number)
    yield made


def _attempts() -> Iterator[Metric]:
    ended = CounterMetricFamily("reweave_attempts", "Attempts that ended.", labels=["queue", "model", "outcome"])
    counted = Attempt.objects.order_by().values_list("queue", "model", "outcome").annotate(Count("pk"))
    for queue, model, outcome, count in counted:
        ended.add_metric([queue, model, "taken_back" if outcome == "queued" else outcome], count)
    yield ended
    failures = CounterMetricFamily("reweave_failures", "Attempts that failed.", labels=["code"])
    failed = Attempt.objects.filter(outcome="failed").order_by().values_list("error_code").annotate(Count("pk"))
    for code, count in failed:
        failures.add_metric([code], count)
    yield failures
    yield _histogram("reweave_wait_seconds", "From being queued to the start.", "wait_seconds")
    yield _histogram("reweave_run_seconds", "From the start to the end, or the share of it.", "run_seconds")


def _histogram(name: str, text: str, field: str) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=["queue"])
    sums = {f"up_to_{place}": Count("pk", filter=Q(**{f"{field}__lte": end})) for place, end in enumerate(BUCKETS)}
    rows: Any = Attempt.objects.order_by().values(key=F("queue"))
    for row in rows.annotate(total=Sum(field), count=Count("pk"), **sums):
        buckets = [(str(end), row[f"up_to_{place}"]) for place, end in enumerate(BUCKETS)]
        family.add_metric([row["key"]], [*buckets, ("+Inf", row["count"])], row["total"])
    return family
