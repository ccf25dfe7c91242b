"""The demo's public links."""

from __future__ import annotations

from django.urls import reverse

from webapp.photos.models import Picture
from webapp.sharing.services import share_pictures
from webapp.teams.demo import Demo


def furnish(demo: Demo) -> None:
    """A gallery that everybody with the address may see, and one picture behind a password."""
    olive = demo.people["olive"]
    shown = Picture.objects.visible_to(olive).filter(team=demo.teams["Museum archive"], versions__parent__isnull=False)
    ids = list(dict.fromkeys(shown.order_by("-changed_at").values_list("pk", flat=True)))[:12]
    if not ids:
        return
    _, token = share_pictures(olive, ids, title="Mended this year", days=90, allow_download=True)
    demo.lines.append(f"a public gallery: {reverse('shared', args=[token])}")
    _, token = share_pictures(olive, ids[:1], password="open sesame", days=90)  # noqa: S106  # it is shown, to be tried
    demo.lines.append(f"one picture with the password “open sesame”: {reverse('shared', args=[token])}")
