"""What an operator sees from outside: counts of all web processes, and the way of a request through the logs."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection, HTTPMessage

import pytest
from asgiref.sync import sync_to_async
from prometheus_client.parser import text_string_to_metric_families

from tests.workers.conftest import RedisServer, painted, started_web_server, started_worker, wait_for_status
from tests.workers.processes import Process, wait_until
from tests.workers.test_socket import page, session_cookie
from webapp.accounts.models import User
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.services import submit_job
from webapp.photos import services as photos

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]


def ask(port: int, path: str, **headers: str) -> tuple[int, HTTPMessage, str]:
    """Over a connection of its own, so that any of the processes may answer."""
    browser = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        browser.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = browser.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        browser.close()


def scraped(port: int) -> dict[tuple[str, ...], float]:
    status, _, text = ask(port, "/metrics", Authorization="Bearer scrape")
    assert status == 200
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_are_those_of_all_web_processes(redis_server: RedisServer, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    port, web = await sync_to_async(started_web_server)(workers=2, METRICS_TOKEN="scrape")
    try:
        async with page(port, cookie), page(port, cookie), page(port, cookie) as last:
            await last.send(type="ping")
            await last.until(lambda message: message["type"] == "pong")
            for _ in range(12):
                assert (await asyncio.to_thread(ask, port, "/healthz"))[0] == 200
            assert (await asyncio.to_thread(ask, port, "/no/such/page"))[0] == 404
            found = await asyncio.to_thread(scraped, port)
            assert found["reweave_sockets",] == 3
            assert found["reweave_http_requests_total", "method=GET", "status=200", "view=healthz"] == 12
            assert found["reweave_http_seconds_count", "view=healthz"] == 12
            assert found["reweave_http_requests_total", "method=GET", "status=404", "view=none"] == 1
        for _ in range(100):
            if (await asyncio.to_thread(scraped, port))["reweave_sockets",] == 0:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("closed sockets are still counted")
    finally:
        await sync_to_async(web.kill)()


def test_a_job_is_followed_through_the_logs(redis_server: RedisServer, user: User) -> None:
    version, mask = painted(user)
    port, web = started_web_server(LOG_FORMAT="json")
    worker = started_worker("interactive", LOG_FORMAT="json")
    try:
        cookie = session_cookie(user)
        token = "t" * 32
        border = "border"
        fields = {"model": "telea", "params": "{}", "seed": "1"}
        body = b"".join(
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        )
        head = 'Content-Disposition: form-data; name="mask"; filename="mask.png"\r\nContent-Type: image/png'
        body += f"--{border}\r\n{head}\r\n\r\n".encode() + photos.read_mask(mask) + f"\r\n--{border}--\r\n".encode()
        browser = HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {
            "Cookie": f"{cookie}; csrftoken={token}",
            "X-CSRFToken": token,
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": f"multipart/form-data; boundary={border}",
            "X-Request-ID": "from-the-proxy-1",
        }
        browser.request("POST", f"/api/versions/{version.pk}/fill", body, headers)
        answer = browser.getresponse()
        job = json.loads(answer.read())
        browser.close()
        assert answer.status == 201, job
        assert answer.headers["X-Request-ID"] == "from-the-proxy-1"
        wait_for_status(Job.objects.get(pk=job["id"]), "succeeded")

        (submitted,) = events_about(web, job["id"])
        assert (submitted["request"], submitted["message"][-12:]) == ("from-the-proxy-1", "new → queued")
        began, ended = wait_until(lambda: events_about(worker, job["id"])[:2], what="the worker's log tells of the job")
        assert (began["message"][-7:], ended["message"][-9:]) == ("running", "succeeded")
        assert (ended["actor"], ended["attempt"]) == (began["actor"], 1)
        seen = WorkerSeen.objects.get(name=ended["actor"])
        assert seen.memory > 30_000_000
        assert seen.card_memory == 0
    finally:
        worker.kill()
        web.kill()


def events_about(process: Process, job_id: str) -> list[dict[str, object]]:
    """The JSON lines of a log that carry the job's id."""
    lines = [json.loads(line) for line in process.text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("job") == job_id]


def test_an_id_that_could_break_a_log_is_replaced(web_port: int) -> None:
    for given in ("short", "with space 123", "x" * 65, 'quote"quote'):
        _, headers, _ = ask(web_port, "/healthz", X_Request_ID=given)
        assert len(headers["X-Request-ID"]) == 32
        assert headers["X-Request-ID"] != given


def test_submitting_leaves_no_id_behind(user: User, redis_server: RedisServer) -> None:
    from webapp.settings.context import about_job, about_request, ids

    job, _ = submit_job(user, *painted(user), model="telea", params={}, queue="batch")
    with about_request("outer"), about_job(job.pk):
        assert ids() == {"request": "outer", "job": str(job.pk)}
    assert ids() == {}
