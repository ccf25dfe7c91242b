"""What a person can do with the pictures of a gallery: mark, tag, throw away and bring back.

Everything takes several pictures at once, and does all or nothing: one that the person may not see answers as if it
did not exist, one that their role does not cover refuses the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from webapp.errors import Refusal, not_found
from webapp.galleries.models import LONGEST_TAG, MOST_TAGS, Favourite, Tag
from webapp.galleries.tag_lists import forget_tags
from webapp.jobs.models import Job
from webapp.jobs.services import cancel_job
from webapp.photos.folding import fold
from webapp.photos.models import Picture
from webapp.photos.services import delete_picture
from webapp.photos.uploads import LONGEST_TITLE
from webapp.teams import policies
from webapp.teams.activity import record
from webapp.teams.models import Activity

if TYPE_CHECKING:
    from webapp.accounts.models import User

MOST_AT_ONCE = 500
_ERASED_A_SWEEP = 200


def pick(user: User, ids: Sequence[UUID], *, rule: Callable[..., bool], trash: bool = False) -> list[Picture]:
    """The pictures with these ids, in their order, when `user` may see all of them and `rule` allows all.

    `trash` takes them from the trash. Raises `Refusal`: none or too many (422), one that cannot be seen (404), one
    that `rule` forbids (403).
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise Refusal("nothing_selected", "Select at least one picture.", status=422)
    if len(wanted) > MOST_AT_ONCE:
        raise Refusal("too_many", f"At most {MOST_AT_ONCE} pictures can be handled at once.", status=422)
    rows = Picture.objects.in_trash_of(user) if trash else Picture.objects.visible_to(user)
    by_id = {picture.pk: picture for picture in rows.filter(pk__in=wanted)}
    if len(by_id) < len(wanted):
        raise not_found()
    # Roles belong to teams, so one picture of each says it for all of them.
    for picture in {picture.team_id: picture for picture in by_id.values()}.values():
        policies.require(rule, user, picture)
    return [by_id[pk] for pk in wanted]


def rename(user: User, picture: Picture, title: str) -> Picture:
    """Give `picture` another title; raises `Refusal` for an empty or too long one."""
    policies.require(policies.can_edit, user, picture)
    title = " ".join(title.split())
    if not title or len(title) > LONGEST_TITLE or not title.isprintable():
        raise Refusal("bad_title", f"A title has 1 to {LONGEST_TITLE} characters.", status=422)
    picture.title = title
    picture.save(update_fields=["title"])
    return picture


def set_favourite(user: User, ids: Sequence[UUID], favourite: bool) -> None:
    """Mark pictures for oneself, or take the marks away; whoever sees a picture may."""
    pictures = pick(user, ids, rule=policies.can_view)
    with transaction.atomic():
        if favourite:
            rows = [Favourite(person=user, picture=picture) for picture in pictures]
            Favourite.objects.bulk_create(rows, ignore_conflicts=True)
        else:
            Favourite.objects.filter(person=user, picture__in=pictures).delete()


def change_tags(user: User, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
    """Add tags to pictures and remove others; what is there stays, whatever its case.

    Raises `Refusal` (422) for a tag that is empty or too long, and when a picture would have too many.
    """
    new = {fold(name): name for name in map(_clean_tag, add)}
    old = [fold(name) for name in remove]
    pictures = pick(user, ids, rule=policies.can_edit)
    with transaction.atomic():
        Tag.objects.filter(picture__in=pictures, folded__in=old).delete()
        rows = [Tag(picture=picture, name=name, folded=key) for picture in pictures for key, name in new.items()]
        Tag.objects.bulk_create(rows, ignore_conflicts=True)
        counts = Tag.objects.filter(picture__in=pictures).values_list("picture")
        tally: dict[UUID, int] = {}
        for (picture_id,) in counts:
            tally[picture_id] = tally.get(picture_id, 0) + 1
        if max(tally.values(), default=0) > MOST_TAGS:
            raise Refusal("too_many_tags", f"A picture takes at most {MOST_TAGS} tags.", status=422)
    forget_tags(pictures)


def throw_away(user: User, ids: Sequence[UUID]) -> list[Picture]:
    """Put pictures into the trash, from where they come back for `TRASH_DAYS` days. Their jobs are called off."""
    pictures = pick(user, ids, rule=policies.can_delete)
    with transaction.atomic():
        for picture in pictures:
            record(picture.team_id, Activity.Kind.PICTURE_DELETED, user, picture=picture)
        Picture.objects.filter(pk__in=[picture.pk for picture in pictures]).update(trashed_at=timezone.now())
    for job in Job.objects.active().filter(picture__in=pictures):
        cancel_job(job, actor=str(user.pk))
    return pictures


def bring_back(user: User, ids: Sequence[UUID]) -> int:
    """Take pictures out of the trash; how many. Those that are not in it any more are left as they are."""
    wanted = list(dict.fromkeys(ids))
    thrown = list(Picture.objects.in_trash_of(user).filter(pk__in=wanted).values_list("pk", flat=True))
    back = Picture.objects.visible_to(user).filter(pk__in=wanted).count()
    if len(thrown) + back < len(wanted):
        raise not_found()
    if not thrown:
        return 0
    pictures = pick(user, thrown, rule=policies.can_delete, trash=True)
    with transaction.atomic():
        for picture in pictures:
            record(picture.team_id, Activity.Kind.PICTURE_RESTORED, user, picture=picture)
        return Picture.objects.filter(pk__in=thrown).update(trashed_at=None)


def erase(user: User, ids: Sequence[UUID]) -> int:
    """Delete pictures that are in the trash for good, with their files; how many."""
    pictures = pick(user, ids, rule=policies.can_delete, trash=True)
    for picture in pictures:
        delete_picture(picture)
    return len(pictures)


def empty_expired_trash() -> int:
    """Delete for good what has been in the trash for longer than `TRASH_DAYS`; how many. For the maintenance task."""
    limit = timezone.now() - timedelta(days=settings.TRASH_DAYS)
    expired = Picture.objects.filter(trashed_at__lt=limit).order_by("trashed_at").values_list("pk", flat=True)
    removed = 0
    for pk in list(expired[:_ERASED_A_SWEEP]):
        with transaction.atomic():
            # Asked again under the lock: somebody may be bringing it back at this moment.
            picture = Picture.objects.select_for_update().filter(pk=pk, trashed_at__lt=limit).first()
            if picture is not None:
                delete_picture(picture)
                removed += 1
    return removed


def _clean_tag(name: str) -> str:
    name = " ".join(name.split())
    if not fold(name) or len(name) > LONGEST_TAG or not name.isprintable() or "," in name:
        raise Refusal("bad_tag", f"A tag has 1 to {LONGEST_TAG} characters and no comma.", status=422)
    return name
