"""Finding pictures, page by page, and handling many of them at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from redis.exceptions import RedisError

from tests.webapp.material import body_of, mask_file, photo_file
from tests.webapp.teams import make_team
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.galleries import services
from webapp.galleries.command_lines import command_of
from webapp.galleries.models import Favourite, Tag
from webapp.galleries.search import PAGE_SIZE, Search, find_page, tags_in_use
from webapp.galleries.tasks import run_empty_trash
from webapp.jobs.models import Job
from webapp.photos.folding import fold
from webapp.photos.models import Mask, Picture, Version
from webapp.photos.services import add_picture
from webapp.reviews.services import decide
from webapp.teams.models import Activity, Membership

pytestmark = pytest.mark.django_db
MakeResult = Callable[[Version], Version]


def rows(owner: User, *titles: str, **values: Any) -> list[Picture]:
    """Pictures as rows only: lists read no files."""
    made = []
    for title in titles:
        picture = Picture.objects.create(owner=owner, title=title, **values)
        Version.objects.create(
            picture=picture, file="version/none.png", bytes=1, width=8, height=9, upload_format="PNG"
        )
        made.append(picture)
    return made


def found(user: User, **wanted: Any) -> list[str]:
    return [picture.title for picture in find_page(user, Search(**wanted)).pictures]


def post(client: Client, action: str, pictures: list[Picture], **more: Any) -> Any:
    body = {"pictures": [str(picture.pk) for picture in pictures], **more}
    return client.post(f"/api/pictures/{action}", body, content_type="application/json")


# Search


def test_words_are_found_without_case_and_accents_in_titles_and_tags(ada: User) -> None:
    cafe, _street, strasse = rows(ada, "Café Été", "Street", "Straße 100%_done")
    services.change_tags(ada, [strasse.pk], add=["Ölbild"])
    assert found(ada, q="CAFE ete") == [cafe.title]
    assert found(ada, q="été café") == [cafe.title]
    assert found(ada, q="STRASSE") == [strasse.title]
    assert found(ada, q="olbild 100") == [strasse.title]
    assert found(ada, q="%_") == [strasse.title]
    assert found(ada, q="cafe street") == []
    assert found(ada, tag="ÖLBILD") == [strasse.title]
    assert found(ada, tag="öl") == []


def test_models_masks_and_dates(ada: User, result: Version) -> None:
    plain, *_ = rows(ada, "plain")
    Picture.objects.filter(pk=plain.pk).update(created_at=timezone.now() - timedelta(days=40))
    share = result.mask.hole_share if result.mask else 0.0
    assert 0.1 < share < 0.2
    assert found(ada, model="telea") == found(ada, q="telea") == ["beach day"]
    assert found(ada, model="patchmatch") == []
    assert found(ada, share_from=0.1, share_to=0.2) == ["beach day"]
    assert found(ada, share_from=0.2) == found(ada, share_to=0.1) == []
    today = timezone.localdate()
    assert found(ada, since=today) == ["beach day"]
    assert found(ada, until=today - timedelta(days=1)) == ["plain"]
    assert set(found(ada, since=today - timedelta(days=41), until=today)) == {"beach day", "plain"}


def test_the_newest_verdict_is_a_picture_s_status(ada: User, picture: Picture, result: Version) -> None:
    upload = picture.versions.get(parent=None)
    assert found(ada, status="open") == ["beach day"]
    decide(ada, result, "approved")
    assert (found(ada, status="approved"), found(ada, status="open")) == (["beach day"], [])
    decide(ada, upload, "changes")
    assert (found(ada, status="changes"), found(ada, status="approved")) == (["beach day"], [])


def test_favourites_are_one_s_own(ada: User, bob: User) -> None:
    team = make_team(owner=ada, viewer=bob)
    first, second = rows(ada, "first", "second", team=team)
    services.set_favourite(ada, [first.pk], True)
    services.set_favourite(bob, [second.pk], True)
    assert found(ada, team=team.pk, favourite=True) == ["first"]
    assert found(bob, team=team.pk, favourite=True) == ["second"]
    services.set_favourite(bob, [first.pk, second.pk], False)
    assert Favourite.objects.get().person == ada


@pytest.mark.parametrize("sort", ["changed", "added", "title"])
def test_every_order_shows_everything_once_even_among_equals(as_ada: Client, ada: User, sort: str) -> None:
    titles = [f"same {number % 3}" for number in range(2 * PAGE_SIZE + 5)]
    rows(ada, *titles)
    now = timezone.now()
    Picture.objects.update(changed_at=now, created_at=now)
    seen: list[str] = []
    shown: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = as_ada.get("/api/pictures", {"cursor": cursor, "sort": sort}).json()
        seen += [card["id"] for card in page["items"]]
        shown += [card["title"] for card in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == len(titles)
    if sort == "title":
        assert shown == sorted(titles)


def test_a_cursor_belongs_to_its_order(as_ada: Client, ada: User) -> None:
    rows(ada, *[str(number) for number in range(PAGE_SIZE + 1)])
    cursor = as_ada.get("/api/pictures", {"sort": "title"}).json()["next"]
    assert as_ada.get("/api/pictures", {"sort": "added", "cursor": cursor}).json()["code"] == "bad_cursor"
    assert as_ada.get("/pictures/", {"sort": "added", "cursor": cursor}).status_code == 200


@pytest.mark.parametrize("name", ["share_from=2", "since=yesterday", "status=good", "sort=size"])
def test_what_makes_no_sense_is_refused_by_the_api_and_left_out_by_the_page(
    as_ada: Client, picture: Picture, name: str
) -> None:
    assert as_ada.get(f"/api/pictures?{name}").status_code == 422
    page = as_ada.get(f"/pictures/?{name}&q=beach")
    assert [card["title"] for card in page.context["page"]["items"]] == ["beach day"]


@pytest.mark.parametrize("url", ["/pictures/", "/pictures/?q=a&model=telea&status=open&favourite=true&share_from=0.1"])
def test_a_gallery_s_page_takes_few_queries(
    as_ada: Client, ada: User, bob: User, url: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for name in ("One", "Two", "Three"):
        make_team(name, owner=ada)
    rows(ada, *[f"a {number}" for number in range(PAGE_SIZE)])
    with django_assert_max_num_queries(12):
        assert as_ada.get(url).status_code == 200


def test_tags_in_use_are_those_of_the_gallery(ada: User, bob: User) -> None:
    mine, *_ = rows(ada, "mine")
    theirs, *_ = rows(bob, "theirs")
    services.change_tags(ada, [mine.pk], add=["Sea", "autumn"])
    services.change_tags(bob, [theirs.pk], add=["secret"])
    assert tags_in_use(ada, Search()) == ["autumn", "Sea"]


def test_tags_in_use_are_found_once_a_minute_and_ones_own_at_once(
    ada: User, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    team = make_team(owner=ada, viewer=bob)
    mine, ours = rows(ada, "mine")[0], rows(ada, "ours", team=team)[0]
    services.change_tags(ada, [mine.pk], add=["Sea"])
    assert tags_in_use(ada, Search(team=team.pk)) == []
    services.change_tags(ada, [ours.pk], add=["wall"])
    for person in (ada, bob):  # a team's list is kept for all its members
        assert tags_in_use(person, Search(team=team.pk)) == ["wall"]
    assert tags_in_use(ada, Search()) == ["Sea"]
    with django_assert_num_queries(0):
        assert tags_in_use(ada, Search()) == ["Sea"]
    services.change_tags(ada, [mine.pk], remove=["sea"])
    assert tags_in_use(ada, Search()) == []
    Membership.objects.filter(user=bob).delete()
    with pytest.raises(Refusal):
        tags_in_use(bob, Search(team=team.pk))


@pytest.mark.parametrize("error", [ConnectionRefusedError(), RedisError()])
def test_tags_are_looked_up_while_the_cache_is_away(
    ada: User, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    for name in ("get", "set", "delete_many"):
        monkeypatch.setattr(type(caches["default"]), name, fail)
    mine, *_ = rows(ada, "mine")
    services.change_tags(ada, [mine.pk], add=["Sea"])
    assert tags_in_use(ada, Search()) == ["Sea"]


# Tags and titles


def test_tags(as_ada: Client, ada: User) -> None:
    first, second = rows(ada, "first", "second")
    assert post(as_ada, "tags", [first, second], add=["  Old   Town ", "sea"]).json() == {"handled": 2}
    assert post(as_ada, "tags", [first], add=["OLD TOWN", "new"], remove=["SEA"]).status_code == 200
    assert [tag.name for tag in first.tags.all()] == ["new", "Old Town"]
    assert [tag.name for tag in second.tags.all()] == ["Old Town", "sea"]


@pytest.mark.parametrize("bad", ["", "   ", "a,b", "x" * 41, "line\nbreak\x00", "\u0301"])
def test_bad_tags_change_nothing(as_ada: Client, picture: Picture, bad: str) -> None:
    answer = post(as_ada, "tags", [picture], add=["good", bad])
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_tag")
    assert not Tag.objects.exists()


def test_a_picture_takes_thirty_tags(ada: User, picture: Picture) -> None:
    services.change_tags(ada, [picture.pk], add=[f"tag {number}" for number in range(30)])
    with pytest.raises(Refusal, match="at most 30"):
        services.change_tags(ada, [picture.pk], add=["one more"])
    assert picture.tags.count() == 30


def test_renaming(as_ada: Client, ada: User, picture: Picture) -> None:
    url = f"/api/pictures/{picture.pk}"
    answer = as_ada.patch(url, {"title": "  Néw   name "}, content_type="application/json")
    assert answer.json() == {"title": "Néw name"}
    assert found(ada, q="new name") == ["Néw name"]
    for bad in ("", "  ", "x" * 121):
        assert as_ada.patch(url, {"title": bad}, content_type="application/json").status_code == 422


# All or nothing


@pytest.mark.parametrize(
    ("action", "more"),
    [("trash", {}), ("tags", {"add": ["x"]}), ("favourite", {"favourite": True}), ("move", {"team": None})],
)
def test_one_foreign_picture_spoils_the_whole(
    as_ada: Client, ada: User, bob: User, action: str, more: dict[str, Any]
) -> None:
    mine, *_ = rows(ada, "mine")
    theirs, *_ = rows(bob, "theirs")
    assert post(as_ada, action, [mine, theirs], **more).status_code == 404
    assert not Tag.objects.exists()
    assert not Favourite.objects.exists()
    assert Picture.objects.filter(trashed_at=None).count() == 2


def test_a_viewer_may_mark_and_nothing_else(as_bob: Client, ada: User, bob: User) -> None:
    team = make_team(owner=ada, viewer=bob)
    (picture,) = rows(ada, "ours", team=team)
    assert post(as_bob, "favourite", [picture], favourite=True).status_code == 200
    for action, more in (("trash", {}), ("tags", {"add": ["x"]}), ("move", {"team": None})):
        assert post(as_bob, action, [picture], **more).status_code == 403
    assert as_bob.get(f"/teams/{team.pk}/trash/").status_code == 403
    assert as_bob.get(f"/teams/{team.pk}/pictures/").status_code == 200


@pytest.mark.parametrize("count", [0, services.MOST_AT_ONCE + 1])
def test_none_and_too_many_are_refused(ada: User, picture: Picture, count: int) -> None:
    import uuid

    with pytest.raises(Refusal) as refused:
        services.throw_away(ada, [uuid.uuid4() for _ in range(count)])
    assert refused.value.status == 422


# Trash


def test_there_and_back(as_ada: Client, ada: User, picture: Picture, result: Version, job: Job) -> None:
    assert post(as_ada, "trash", [picture]).json() == {"handled": 1}
    job.refresh_from_db()
    assert job.status == "cancelled"
    for url in (f"/pictures/{picture.pk}/", f"/pictures/{picture.pk}/edit", f"/files/versions/{result.pk}/display"):
        assert as_ada.get(url).status_code == 404
    assert as_ada.get("/api/pictures").json()["items"] == []
    (card,) = as_ada.get("/api/pictures?trash=true").json()["items"]
    assert card["trashed_at"] is not None
    assert body_of(as_ada.get(card["thumb_url"]))
    assert as_ada.get("/pictures/trash/").status_code == 200
    for _ in range(2):  # pressed twice it is as good as once
        assert post(as_ada, "restore", [picture]).status_code == 200
    assert found(ada) == ["beach day"]


def test_a_team_s_trash_is_its_editors(ada: User, bob: User, as_bob: Client) -> None:
    team = make_team(owner=ada, editor=bob)
    (picture,) = rows(ada, "ours", team=team)
    services.throw_away(ada, [picture.pk])
    assert found(ada, trash=True) == []
    assert found(bob, trash=True, team=team.pk) == ["ours"]
    assert post(as_bob, "restore", [picture]).json() == {"handled": 1}
    kinds = list(Activity.objects.filter(team=team).order_by("at").values_list("kind", flat=True))
    assert kinds == [Activity.Kind.PICTURE_DELETED, Activity.Kind.PICTURE_RESTORED]


def test_strangers_get_nothing_from_the_trash(ada: User, picture: Picture, upload: Version, as_bob: Client) -> None:
    services.throw_away(ada, [picture.pk])
    for action in ("restore", "erase", "trash"):
        assert post(as_bob, action, [picture]).status_code == 404
    assert as_bob.get(f"/files/versions/{upload.pk}/thumb").status_code == 404
    assert Picture.objects.get().trashed_at is not None


def test_only_the_trash_can_be_erased(as_ada: Client, picture: Picture) -> None:
    assert post(as_ada, "erase", [picture]).status_code == 404
    assert Picture.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_trash_is_emptied_after_its_days(ada: User, settings: Settings, media: Callable[[], list[str]]) -> None:
    settings.TRASH_DAYS = 5
    old, young = (add_picture(ada, name, photo_file()) for name in ("old.jpg", "young.jpg"))
    kept = len(media()) // 2
    services.throw_away(ada, [old.pk, young.pk])
    now = timezone.now()
    Picture.objects.filter(pk=old.pk).update(trashed_at=now - timedelta(days=5, minutes=1))
    Picture.objects.filter(pk=young.pk).update(trashed_at=now - timedelta(days=4, hours=23))
    run_empty_trash()
    assert list(Picture.objects.all()) == [young]
    assert len(media()) == kept


# One picture


def test_a_picture_s_page(as_ada: Client, picture: Picture, result: Version) -> None:
    boot = as_ada.get(f"/pictures/{picture.pk}/").context["boot"]
    assert boot["picture"] == as_ada.get(f"/api/pictures/{picture.pk}").json()
    assert boot["reviews"] == as_ada.get(f"/api/pictures/{picture.pk}/reviews").json()
    assert list(boot["commands"]) == [str(result.pk)]


@pytest.mark.parametrize("results", [1, 6])
def test_a_picture_s_page_takes_as_many_queries_for_many_versions(
    as_ada: Client,
    picture: Picture,
    upload: Version,
    make_result: MakeResult,
    results: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    source = upload
    for _ in range(results):
        source = make_result(source)
    with django_assert_max_num_queries(24):
        as_ada.get(f"/pictures/{picture.pk}/")


def test_the_command_line_says_what_was_done(ada: User, result: Version) -> None:
    """By the command line's own parser."""
    import shlex

    from inpainting.cli import _parser

    Picture.objects.update(title="-rf $(it's a title)")
    command = command_of(Version.objects.select_related("picture", "parent__picture").get(pk=result.pk))
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "inpainting"]
    options = _parser().parse_args(words[3:])
    assert (str(options.photo), str(options.mask)) == ("-rf $(it's a title).jpg", "-rf $(it's a title) mask.png")
    assert (options.model, options.seed, options.param) == ("telea", 7, ["radius=5"])
    assert str(options.output) == "-rf $(it's a title) (telea).png"


def test_running_again_with_another_model(as_ada: Client, upload: Version, result: Version) -> None:
    url = f"/api/versions/{result.pk}/rerun"
    answer = as_ada.post(url, {"model": "patchmatch"}, content_type="application/json")
    assert (answer.status_code, answer.json()["source"]) == (201, str(upload.pk))
    job = Job.objects.get()
    assert (job.model, job.mask_id) == ("patchmatch", result.mask_id)
    assert as_ada.post(url, {"model": "patchmatch"}, content_type="application/json").status_code == 200
    refused = as_ada.post(f"/api/versions/{upload.pk}/rerun", {"model": "patchmatch"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "nothing_to_rerun")


def test_folding() -> None:
    assert fold("  Café\n ÉTÉ  ŒUVRE ") == "cafe ete œuvre"
    assert fold("ﬁne ＡＢＣ") == "fine abc"
    assert len(fold("ß" * 300)) == 200


def test_a_mask_keeps_its_picture_out_of_sight(ada: User, picture: Picture, upload: Version) -> None:
    """What belongs to a picture in the trash is no more to be seen than the picture."""
    from webapp.photos.services import add_mask

    mask = add_mask(upload, mask_file())
    assert Mask.objects.visible_to(ada).get() == mask
    services.throw_away(ada, [picture.pk])
    assert not Mask.objects.visible_to(ada).exists()
