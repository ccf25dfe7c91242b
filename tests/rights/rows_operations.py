"""Staff's pages. The admin is not here: a test of its own tries every address of it."""

from __future__ import annotations

from tests.rights.table import STAFF, STAFF_PAGES, Row, form

ROWS = [
    Row("GET operations/", STAFF_PAGES),
    Row("POST operations/jobs/act", STAFF, form(action="cancel", job=lambda things: str(things["job_id"]))),
    Row("GET operations/jobs/export.csv", STAFF_PAGES),
    Row("GET operations/jobs/{job_id}/", STAFF),
    Row("GET operations/jobs/{job_id}/source", STAFF),
    Row("GET operations/jobs/{job_id}/mask", STAFF),
    Row("GET operations/jobs/{job_id}/result", STAFF, answers=(404,)),
    Row("GET operations/workers/", STAFF_PAGES),
    Row("POST operations/workers/act", STAFF_PAGES, form(action="drain", node="fill@here")),
    Row("GET operations/numbers/", STAFF_PAGES),
    Row("GET operations/audit/", STAFF_PAGES),
    Row("GET metrics", STAFF_PAGES),
]
