"""Pages of a large gallery: how long they take, against Django's own Paginator over the same pictures.

Everything happens in a database of its own in a temporary folder (SQLite, unless `--database` names another one whose
contents may be lost); no file is read, as lists show addresses only.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bench.report import BenchError, save, shown_path, table

if TYPE_CHECKING:
    from webapp.accounts.models import User

_WORDS = (
    *("harbour", "winter", "market", "bridge", "garden", "street"),
    *("lantern", "ferry", "forest", "window", "staircase", "lighthouse"),
)
_MODELS = ("patchmatch", "telea", "gram", "mnps", "tta")
_LIMIT_MS, _LIMIT_QUERIES = 100.0, 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen on the command line."""
    parser.add_argument("--pictures", type=int, default=10_000, help="how many there are (default: 10000)")
    parser.add_argument("--repeats", type=int, default=15, help="measurements of each page (default: 15)")
    parser.add_argument("--database", default="", help="DATABASE_URL of an empty database, in place of SQLite")


def run(options: argparse.Namespace) -> None:
    """Fill a database, measure, print, and write the numbers to var/bench/."""
    if options.pictures < 1000 or options.repeats < 3:
        raise BenchError("Measure with at least 1000 pictures and 3 repeats.")
    with tempfile.TemporaryDirectory(prefix="reweave-bench-") as folder:
        _set_up(folder, options.database)
        from django.db import connection

        user = _fill(options.pictures)
        engine = connection.vendor
        rows = _measure_pages(user, options.repeats)
        lists = _measure_lists(user, options.pictures, options.repeats)
        connection.close()
    print(f"\nA gallery of {options.pictures:,} pictures in {engine}: whole answers of the website, median of")
    print(
        f"{options.repeats}. Asked for: at most {_LIMIT_MS:.0f} ms and {_LIMIT_QUERIES} queries. CPU: of the website's"
    )
    print("process alone, for machines that are busy with other things as well.\n")
    print(
        table(
            ("page", "median ms", "slowest ms", "CPU ms", "queries"),
            [
                (
                    row["page"],
                    *(f"{row[name]:.1f}" for name in ("median_ms", "slowest_ms", "cpu_ms")),
                    str(row["queries"]),
                )
                for row in rows
            ],
        )
    )
    print("\nFinding 24 cards: from a key on (Reweave) against Django's Paginator (OFFSET and COUNT), same cards.\n")
    print(
        table(
            ("place", "Reweave ms", "Paginator ms", "ratio"),
            [(row["place"], f"{row['ours_ms']:.1f}", f"{row['peer_ms']:.1f}", f"{row['ratio']:.1f}×") for row in lists],
        )
    )
    path = save("gallery", {"pictures": options.pictures, "engine": engine, "pages": rows, "lists": lists})
    print(f"\nWritten to {shown_path(path)}.")


def _set_up(folder: str, database: str) -> None:
    os.environ["REWEAVE_VAR"] = folder
    os.environ["DATABASE_URL"] = database
    os.environ["ALLOWED_HOSTS"] = "127.0.0.1"
    os.environ["HTTPS"] = "off"
    os.environ["LOG_LEVEL"] = "error"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    # The pages' style sheets are not collected here, and their names are not what is measured.
    static = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": static}}
    call_command("migrate", verbosity=0)


def _fill(count: int) -> User:
    """`count` pictures of one person among as many of another's: versions, masks, tags, favourites, verdicts."""
    from datetime import timedelta

    from django.db import connection, transaction
    from django.utils import timezone

    from webapp.accounts.models import User
    from webapp.galleries.models import Favourite, Tag
    from webapp.photos.folding import fold
    from webapp.photos.models import Mask, Picture, Version
    from webapp.reviews.models import Verdict
    from webapp.teams.models import Membership, Role, Team

    dice = random.Random(7)  # noqa: S311  # the same gallery every time
    now = timezone.now()
    with transaction.atomic():
        user = User.objects.create_user("bench", "bench@example.org")
        other = User.objects.create_user("other", "other@example.org")
        for name in ("One", "Two", "Three"):
            team = Team.objects.create(name=name)
            Membership.objects.create(team=team, user=user, role=Role.OWNER)
        for owner in (user, other):
            pictures = []
            for number in range(count):
                title = f"{' '.join(dice.sample(_WORDS, 3)).capitalize()} {number}"
                pictures.append(Picture(owner=owner, title=title, title_folded=fold(title)))
            Picture.objects.bulk_create(pictures, batch_size=500)
            for number, picture in enumerate(pictures):
                picture.created_at = picture.changed_at = now - timedelta(minutes=7 * number)
            Picture.objects.bulk_update(pictures, ["created_at", "changed_at"], batch_size=500)
            uploads = [_version(picture, now) for picture in pictures]
            masks = [
                Mask(
                    picture=picture, file="mask/none.png", sha256="0" * 64, hole_pixels=1, hole_share=dice.random() / 3
                )
                for picture in pictures
            ]
            Version.objects.bulk_create(uploads, batch_size=500)
            Mask.objects.bulk_create(masks, batch_size=500)
            results = [
                _version(picture, now, parent=upload, mask=mask, model=dice.choice(_MODELS))
                for picture, upload, mask in zip(pictures, uploads, masks, strict=True)
                for _ in range(dice.choice((0, 0, 1, 3)))
            ]
            Version.objects.bulk_create(results, batch_size=500)
            tags = [
                Tag(picture=picture, name=word, folded=word)
                for picture in pictures
                for word in dice.sample(_WORDS, dice.choice((0, 0, 1, 3)))
            ]
            Tag.objects.bulk_create(tags, batch_size=500)
            marked = dice.sample(pictures, count // 20)
            Favourite.objects.bulk_create([Favourite(person=owner, picture=each) for each in marked], batch_size=500)
            verdicts = [
                Verdict(
                    picture_id=row.picture_id,
                    version=row,
                    reviewer=owner,
                    state=dice.choice(Verdict.State.values),
                    decided_at=now,
                )
                for row in dice.sample(results, min(len(results), count // 5))
            ]
            Verdict.objects.bulk_create(verdicts, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as the database does by itself after a while
    return user


def _version(picture: Any, at: Any, **values: Any) -> Any:
    from webapp.photos.models import Version

    return Version(
        picture=picture, file="version/none.png", bytes=1, width=4000, height=3000, upload_format="JPEG", **values
    )


def _measure_pages(user: User, repeats: int) -> list[dict[str, Any]]:
    """Whole answers: session, rights, search, cards, template or JSON."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    pages = {
        "gallery page": "/pictures/",
        "next page": f"/api/pictures?cursor={_cursor_at(user, 0.01, 'changed')}",
        "page in the middle": f"/api/pictures?cursor={_cursor_at(user, 0.5, 'changed')}",
        "last page": f"/api/pictures?cursor={_cursor_at(user, 0.995, 'changed')}",
        "by title, middle": f"/api/pictures?sort=title&cursor={_cursor_at(user, 0.5, 'title')}",
        "two words": "/api/pictures?q=harbour+lantern",
        "a word nobody wrote": "/api/pictures?q=zebra",
        "model and mask": "/api/pictures?model=gram&share_from=0.05&share_to=0.1",
        "changes wanted": "/api/pictures?status=changes",
        "favourites": "/api/pictures?favourite=true",
    }
    rows = []
    for name, url in pages.items():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer = client.get(url)
        queries = len(captured)  # the next request forgets them
        if answer.status_code != 200:
            raise BenchError(f"{url} answered {answer.status_code}.")
        times, seconds = [], []
        for _ in range(repeats):
            used = time.process_time()
            times += _times(lambda url=url: client.get(url), 1)  # type: ignore[misc]
            seconds.append((time.process_time() - used) * 1000)
        rows.append(
            {
                "page": name,
                "median_ms": statistics.median(times),
                "slowest_ms": max(times),
                "cpu_ms": statistics.median(seconds),
                "queries": queries,
                "all_ms": times,
            }
        )
    return rows


def _measure_lists(user: User, count: int, repeats: int) -> list[dict[str, Any]]:
    from django.core.paginator import Paginator
    from django.db.models import Exists, OuterRef

    from webapp.galleries.models import Favourite
    from webapp.galleries.search import PAGE_SIZE, Search, find_page
    from webapp.photos.models import Picture
    from webapp.reviews.standing import newest_state

    def peer(page: int) -> list[Any]:
        mine = Favourite.objects.filter(picture=OuterRef("pk"), person=user)
        rows = Picture.objects.visible_to(user).filter(owner=user, team=None).for_cards().prefetch_related("tags")
        rows = rows.annotate(review=newest_state("pk"), is_favourite=Exists(mine)).order_by("-changed_at", "-id")
        return list(Paginator(rows, PAGE_SIZE).page(page).object_list)

    rows = []
    for place, share in (("first page", 0.0), ("middle", 0.5), ("last page", 1.0)):
        page = max(1, int(share * (count // PAGE_SIZE)))
        cursor = None if page == 1 else _cursor_of(peer(page - 1)[-1], "changed")

        def ours(cursor: str | None = cursor) -> list[Any]:
            return find_page(user, Search(), cursor).pictures

        def theirs(page: int = page) -> list[Any]:
            return peer(page)

        if [row.pk for row in ours()] != [row.pk for row in theirs()]:
            raise BenchError("Reweave and the Paginator do not show the same pictures.")
        # In turns, so that what else the machine does falls on both.
        pairs = [(_times(ours, 1)[0], _times(theirs, 1)[0]) for _ in range(repeats)]
        mine_ms, peer_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
        rows.append({"place": place, "ours_ms": mine_ms, "peer_ms": peer_ms, "ratio": peer_ms / mine_ms})
    return rows


def _times(call: Callable[[], Any], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return times


def _cursor_at(user: User, share: float, sort: str) -> str:
    from webapp.photos.models import Picture

    order: Sequence[str] = ("title_folded", "id") if sort == "title" else ("-changed_at", "-id")
    rows = Picture.objects.filter(owner=user).order_by(*order)
    return _cursor_of(rows[int(share * rows.count())], sort)


def _cursor_of(picture: Any, sort: str) -> str:
    from webapp.galleries.search import cursor_of

    return cursor_of(picture, "title" if sort == "title" else "changed")
