"""The REST API's calls about galleries: finding pictures, and handling many at once."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from webapp.accounts.services import account_for
from webapp.api.payloads import card_out, job_out
from webapp.api.schemas import (
    FavouriteIn,
    HandledOut,
    JobOut,
    ManyIn,
    MoveIn,
    PicturePage,
    RerunIn,
    TagsIn,
    TitleIn,
)
from webapp.api.seen import REFUSED, caller, editable_version, visible_picture
from webapp.errors import Refusal, not_found
from webapp.galleries import search, services
from webapp.jobs.services import submit_job
from webapp.teams.models import Team

router = Router(tags=["pictures"])


class SearchIn(Schema):
    """What to look for; everything that is given must hold."""

    team: UUID | None = Field(None, description="A team's gallery; your own pictures without it.")
    trash: bool = False
    q: str = Field("", max_length=200, description="Words in titles, tags and names of models.")
    tag: str = Field("", max_length=100)
    model: str = Field("", max_length=40)
    status: Literal["", "open", "approved", "changes"] = ""
    favourite: bool = False
    since: date | None = Field(None, description="First day on which it was added.")
    until: date | None = Field(None, description="Last day on which it was added.")
    share_from: float | None = Field(None, ge=0, le=1, description="Some mask covers at least this share.")
    share_to: float | None = Field(None, ge=0, le=1, description="Some mask covers at most this share.")
    sort: Literal["changed", "added", "title"] = "changed"

    def as_search(self) -> search.Search:
        """The same for the service."""
        return search.Search(**self.model_dump())


@router.get("/pictures", response={200: PicturePage, **REFUSED}, summary="A gallery")
def list_pictures(request: HttpRequest, wanted: Query[SearchIn], cursor: str | None = None) -> PicturePage:
    """Your pictures, or a team's, 24 at a time; `next` is the cursor of the following page of the same search."""
    page = search.find_page(request.user, wanted.as_search(), cursor)
    return PicturePage(items=[card_out(row) for row in page.pictures], next=page.next)


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
    user = caller(request)
    team = None
    if change.team is not None:
        team = Team.objects.visible_to(user).filter(pk=change.team).first()
        if team is None:
            raise not_found()
    return HandledOut(handled=services.move(user, change.pictures, team))


@router.patch("/pictures/{uuid:picture_id}", response={200: TitleIn, **REFUSED}, summary="Rename a picture")
def rename(request: HttpRequest, picture_id: UUID, change: TitleIn) -> TitleIn:
    """Give a picture another title."""
    picture = visible_picture(request, picture_id)
    return TitleIn(title=services.rename(caller(request), picture, change.title).title)


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
