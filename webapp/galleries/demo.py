"""What the demo's galleries hold besides pictures: tags, favourites, and a few pictures in the trash."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from webapp.galleries.models import Favourite, Tag
from webapp.photos.folding import fold
from webapp.photos.models import Picture
from webapp.teams.demo import Demo
from webapp.teams.models import Membership

_TAGS = ("archive", "portrait", "scan", "print", "to do", "1930s", "exhibition", "scratches")


def furnish(demo: Demo) -> None:
    """Up to three tags on most pictures, some favourites of everybody, six pictures thrown away."""
    for picture in demo.pictures:
        names = demo.chance.sample(_TAGS, demo.chance.randrange(4))
        Tag.objects.bulk_create(Tag(picture=picture, name=name, folded=fold(name)) for name in names)
        seers = [picture.owner]
        if picture.team_id is not None:
            seers = [member.user for member in Membership.objects.filter(team=picture.team_id).select_related("user")]
        Favourite.objects.bulk_create(
            Favourite(person=person, picture=picture) for person in seers if demo.chance.random() < 0.15
        )
    for picture in demo.pictures[:: max(1, len(demo.pictures) // 6)][:6]:
        thrown = timezone.now() - timedelta(days=demo.chance.randrange(1, 20))
        Picture.objects.filter(pk=picture.pk).update(trashed_at=thrown)
