"""The REST API's calls about galleries: handling many pictures at once. `routes` has the list itself."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status

from webapp.accounts.services import account_for
from webapp.api.payloads import job_out
from webapp.api.schemas import (
    FavouriteIn,
    HandledOut,
    JobOut,
    ManyIn,
    MoveIn,
    RerunIn,
    TagsIn,
)
from webapp.api.seen import REFUSED, caller, editable_version, visible_team
from webapp.errors import Refusal
from webapp.galleries import search, services
from webapp.jobs.services import submit_job
from webapp.teams.services import move_pictures

router = Router(tags=["pictures"])


@router.get("/tags", response={200: list[str], **REFUSED}, summary="Tags in use")
def list_tags(request: HttpRequest, team: UUID | None = None) -> list[str]:
    """The tags of your pictures, or of a team's."""
    return search.tags_in_use(request.user, search.Search(team=team))


@router.post("/pictures/trash", response={200: HandledOut, **REFUSED}, summary="Put pictures into the trash")
def throw_away(request: HttpRequest, many: ManyIn) -> HandledOut:
    """They can be brought back for some days; their jobs are called off."""
    return HandledOut(handled=len(services.throw_away(caller(request), many.pictures)))


@router.post("/pictures/restore", response={200: HandledOut, **REFUSED}, summary="Bring pictures back")
def bring_back(request: HttpRequest, many: ManyIn) -> HandledOut:
    """Take pictures out of the trash."""
    return HandledOut(handled=services.bring_back(caller(request), many.pictures))


@router.post("/pictures/erase", response={200: HandledOut, **REFUSED}, summary="Erase pictures from the trash")
def erase(request: HttpRequest, many: ManyIn) -> HandledOut:
    """Delete pictures that are in the trash for good, with their versions, masks and files."""
    return HandledOut(handled=services.erase(caller(request), many.pictures))


@router.post("/pictures/tags", response={200: HandledOut, **REFUSED}, summary="Tag pictures")
def change_tags(request: HttpRequest, change: TagsIn) -> HandledOut:
    """Add tags to pictures and remove others."""
    services.change_tags(caller(request), change.pictures, add=change.add, remove=change.remove)
    return HandledOut(handled=len(set(change.pictures)))


@router.post("/pictures/favourite", response={200: HandledOut, **REFUSED}, summary="Mark pictures as favourites")
def set_favourite(request: HttpRequest, change: FavouriteIn) -> HandledOut:
    """For yourself; nobody else sees it."""
    services.set_favourite(caller(request), change.pictures, change.favourite)
    return HandledOut(handled=len(set(change.pictures)))


@router.post("/pictures/move", response={200: HandledOut, **REFUSED}, summary="Move pictures")
def move(request: HttpRequest, change: MoveIn) -> HandledOut:
    """Into a team's gallery, from one team to another, or to your own pictures."""
    team = None if change.team is None else visible_team(request, change.team)
    return HandledOut(handled=move_pictures(caller(request), change.pictures, team))


@router.post(
    "/versions/{uuid:version_id}/rerun",
    response={201: JobOut, 200: JobOut, **REFUSED},
    summary="Run again with another model",
    tags=["jobs"],
)
def rerun(request: HttpRequest, version_id: UUID, change: RerunIn) -> Status[JobOut]:
    """Fill the hole that this result filled once more, in the photo it was made from; a branch beside it."""
    version = editable_version(request, version_id)
    if version.parent is None or version.mask is None:
        raise Refusal("nothing_to_rerun", "This version is the upload itself: no model made it.", status=422)
    with account_for(request) as owner:
        job, created = submit_job(
            owner, version.parent, version.mask, model=change.model, params=change.params, seed=change.seed
        )
    return Status(201 if created else 200, job_out(job))
