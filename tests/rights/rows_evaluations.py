"""Evaluations: one's own, and finished ones that their owner shares by a link."""

from __future__ import annotations

from typing import Any

from tests.rights.table import ANYBODY, OWN, Row, form
from tests.rights.world import MARKS, World
from tests.webapp.material import photo_file

_NAME, _TOKEN = "body.html", "made-up-token-of-the-table"


def furnish(world: World) -> None:
    """The person's own, under way; and a finished one of somebody else, shared, with a file."""
    mine = _evaluation(world.people["person"], f"{MARKS['own']} compared")
    _with_file(mine)
    world.things["own"] |= {"evaluation_id": mine.pk, "name": _NAME}
    shared = _evaluation(world.people["stranger"], "for everybody")
    _with_file(shared)
    type(shared).objects.filter(pk=shared.pk).update(state="done", share_token=_TOKEN)


def _evaluation(owner: Any, title: str) -> Any:
    from webapp.evaluations.services import start_evaluation
    from webapp.evaluations.uploads import NewPhoto

    photos = [NewPhoto("photo.jpg", photo_file())]
    return start_evaluation(owner, photos, title=title, protocol="centre-128", size="256", seed=0, models=["telea"])


def _with_file(evaluation: Any) -> None:
    from webapp.evaluations.models import EvaluationFile
    from webapp.photos.files import new_files, write_file

    row = EvaluationFile(evaluation=evaluation, name=_NAME, content_type="text/html")
    with new_files():
        write_file(row.file, ".html", b"<p>Numbers</p>")
        row.save()


ROWS = [
    Row("GET evaluations/", ANYBODY),
    Row("GET evaluations/new", ANYBODY),
    Row("POST evaluations/new", ANYBODY, form(title="Without photos"), answers=(422,)),
    Row("GET evaluations/compare", OWN, query="?one={evaluation_id}&other={evaluation_id}", answers=(409,)),
    Row("GET evaluations/{evaluation_id}/", OWN),
    Row("GET evaluations/{evaluation_id}/progress", OWN),
    Row("POST evaluations/{evaluation_id}/cancel", OWN),
    Row("POST evaluations/{evaluation_id}/again", OWN, answers=(409,)),
    Row("POST evaluations/{evaluation_id}/share", OWN, answers=(409,)),
    Row("POST evaluations/{evaluation_id}/delete", OWN),
    Row("GET evaluations/{evaluation_id}/files/{name}", OWN),
    Row("GET evaluations/shared/{token}/", ANYBODY, arguments={"token": _TOKEN}),
    Row(
        "GET evaluations/shared/{token}/files/{name}",
        ANYBODY,
        arguments={"token": _TOKEN, "name": _NAME},
    ),
]
