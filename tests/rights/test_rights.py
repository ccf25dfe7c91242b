"""Every address of the site, tried by everybody.

The addresses are read from the site itself: one without a row fails here, and so does a method that no row names but
that answers nevertheless. So what is not in the table is denied.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponseBase
from django.urls import get_resolver

from tests.rights.table import LOOK, PEOPLE, Row, routes, rows
from tests.rights.world import MARKS, World
from tests.webapp.material import body_of

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete", "options", "trace")
HARMLESS = {"options", "trace"}
TO_SIGN_IN = ("/accounts/login/", "/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/", "/admin/login/")
SAME_FOR_EVERY_METHOD = {"api/openapi.json", "api/docs"}
"""The API's description, which is only ever shown."""
CASES = [(row, subject) for row in rows() for subject in row.who]


def ask(world: World, who: str, method: str, url: str, **body: Any) -> tuple[HttpResponseBase, bytes]:
    """The answer and its whole body; what the request changed is undone."""
    with transaction.atomic():
        client = world.client(who)
        client.raise_request_exception = False
        answer = getattr(client, method)(url, **body)
        content = body_of(answer)
        transaction.set_rollback(True)
    return answer, content


def is_refused(answer: HttpResponseBase) -> bool:
    """Told to sign in, told no, or told that there is nothing."""
    if answer.status_code in (301, 302):
        return answer.headers["Location"].startswith(TO_SIGN_IN)
    return answer.status_code in (401, 403, 404, 405)


def test_every_address_is_in_the_table_and_nothing_else_is() -> None:
    assert {row.path for row in rows()} == routes()
    assert len(routes()) > 80


@pytest.mark.parametrize(("row", "subject"), CASES, ids=[f"{row.route or '/'} {subject}" for row, subject in CASES])
def test_who_gets_in(row: Row, subject: str, world: World) -> None:
    url, allowed = row.url(world.things[subject]), row.who[subject]
    wrong = {}
    for who in PEOPLE:
        answer, content = ask(world, who, row.method, url, **row.body(world.things[subject]))
        status = answer.status_code
        if who not in allowed and row.instead and who in LOOK[subject]:
            fine = status == 302 and answer.headers["Location"] == row.url_instead(world.things[subject])
        elif who not in allowed:
            fine = is_refused(answer)
            if subject != "site" and subject not in world.seen_by(who):
                fine = fine and status != 403  # that would say that there is something
        elif row.answers:
            fine = status in row.answers or status < 400
        else:
            fine = status < 400 and (not is_refused(answer) or row.path.startswith("accounts/"))
        leaks = [each for each in MARKS if each not in world.seen_by(who) and MARKS[each].encode() in content]
        if leaks and not _may_name(row, who, subject):
            wrong[who] = f"{status}, and names what is {leaks[0]}"
        elif not fine:
            wrong[who] = f"{status} {answer.headers.get('Location', '')} {content[:200]!r}"
    assert not wrong


def _may_name(row: Row, who: str, subject: str) -> bool:
    """An invitation names its team to whoever has it; staff's pages name what staff has to run."""
    return row.path.startswith("teams/join/") or (who == "staff" and row.path.startswith("operations/"))


def _by_path() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows():
        found[row.path].append(row)
    return found


@pytest.mark.parametrize(("path", "of_path"), list(_by_path().items()), ids=[path or "/" for path in _by_path()])
def test_methods_that_no_row_names_do_nothing(path: str, of_path: list[Row], world: World) -> None:
    """Asked by somebody who gets in by the named ones."""
    named = {row.method for row in of_path}
    subject, who = next(
        ((subject, sorted(people)[0]) for row in of_path for subject, people in row.who.items() if people),
        ("team", "owner"),
    )
    url = of_path[0].url(world.things[subject])
    for method in set(METHODS) - named - HARMLESS:
        answer, content = ask(world, who, method, url)
        refused = is_refused(answer) or path in SAME_FOR_EVERY_METHOD
        # allauth shows a form again for whatever method it does not know; that changes nothing.
        assert refused or path.startswith("accounts/"), f"{method}: {answer.status_code} {content[:200]!r}"


@pytest.mark.parametrize("row", [row for row in rows() if "{" in row.path and "team" in row.who], ids=lambda r: r.route)
def test_what_does_not_exist_answers_like_what_is_not_ones_own(row: Row, world: World) -> None:
    things = world.things["team"]
    made_up = {
        name: 999_999 if isinstance(value, int) else "00000000-0000-4000-8000-000000000000"
        for name, value in things.items()
    }
    theirs, _ = ask(world, "stranger", row.method, row.url(things), **row.body(things))
    nobodys, _ = ask(world, "stranger", row.method, row.url({**made_up, "n": things["n"]}), **row.body(things))
    assert theirs.status_code == nobodys.status_code


def test_ids_cannot_be_guessed(world: World) -> None:
    """Numbers stand only where the team's id has to be known as well."""
    for row in rows():
        if "{membership_id}" in row.path:
            assert "{team_id}" in row.path
    for name, value in world.things["team"].items():
        if name.endswith("_id") and name != "membership_id":
            assert len(str(value)) == 36, name
    assert len(world.things["team"]["token"]) >= 43


def test_the_admin_is_for_staff(world: World) -> None:
    found = sorted(path for path in _admin_paths() if "{" not in path)
    assert len(found) > 10
    for who in ("visitor", "guest", "owner", "staff"):
        for path in found:
            answer, _ = ask(world, who, "get", f"/{path}")
            if who == "staff":
                assert answer.status_code < 400 or answer.status_code in (403, 404, 405), path
            elif path not in ("admin/login/", "admin/logout/"):
                assert is_refused(answer), f"{who} {path}: {answer.status_code}"


def test_objects_in_the_admin_are_for_staff(world: World) -> None:
    kinds = {
        "accounts/user": world.people["person"].pk,
        "photos/picture": world.things["own"]["picture_id"],
        "teams/team": world.things["team"]["team_id"],
        "jobs/job": world.things["own"]["job_id"],
    }
    calls = (("change", "get"), ("change", "post"), ("delete", "post"), ("history", "get"))
    for who, (kind, pk), (view, method) in product(("visitor", "guest", "owner", "person"), kinds.items(), calls):
        answer, _ = ask(world, who, method, f"/admin/{kind}/{pk}/{view}/")
        assert is_refused(answer), f"{who} {method} {kind} {view}: {answer.status_code}"
    answer, _ = ask(world, "staff", "get", f"/admin/accounts/user/{kinds['accounts/user']}/change/")
    assert answer.status_code == 200


def _admin_paths() -> set[str]:
    from tests.rights.table import _walk

    return {path for path in _walk(get_resolver().url_patterns, "") if path.startswith("admin/")}
