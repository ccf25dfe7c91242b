"""What a person can do with evaluations."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from inpainting.catalog import CatalogError
from inpainting.evaluation.contestants import parse_contestants
from inpainting.evaluation.protocols import PROTOCOLS, SIZES
from webapp.errors import Refusal
from webapp.evaluations import rights, states
from webapp.evaluations.models import Evaluation, Unit
from webapp.evaluations.uploads import NewPhoto
from webapp.jobs.services import LARGEST_SEED
from webapp.photos.files import new_files, read_file, write_file
from webapp.photos.models import Picture
from webapp.reviews.models import Ballot
from webapp.reviews.votes import tallies

if TYPE_CHECKING:
    from webapp.accounts.models import User

_LONGEST_TITLE = 120


def start_evaluation(
    owner: User,
    photos: Sequence[NewPhoto],
    *,
    title: str,
    protocol: str,
    size: str,
    seed: int,
    models: Sequence[str],
) -> Evaluation:
    """Keep the photos and queue one unit of work for each, and one for the report.

    `models` as on the command line: ``KEY`` or ``KEY:NAME=VALUE;NAME=VALUE``. Photos of galleries are not copied.
    Raises `Refusal` with a sentence for wishes that cannot be fulfilled, for pictures that `owner` may not see, and
    for a person who has enough evaluations under way.
    """
    names = _checked(protocol, size, seed, models)
    if not photos:
        raise Refusal("no_photos", "Choose at least one photo.", status=422)
    teams = rights.teams_of_photos(owner, [photo.version for photo in photos if photo.version is not None])
    if size == "full":
        _check_work(photos, fills=len(PROTOCOLS[protocol].parts) * len(names))
    with new_files(), transaction.atomic():
        if Evaluation.objects.unfinished().filter(owner=owner).count() >= settings.EVALUATION_MAX_ACTIVE_PER_USER:
            raise Refusal(
                "too_many_evaluations",
                f"You have {settings.EVALUATION_MAX_ACTIVE_PER_USER} unfinished evaluations. Come back when one has "
                "ended, or cancel one.",
                status=429,
            )
        evaluation = Evaluation.objects.create(
            owner=owner,
            title=" ".join(title.split())[:_LONGEST_TITLE] or f"{PROTOCOLS[protocol].title} of {len(photos)} photos",
            protocol=protocol,
            size=size,
            seed=seed,
            methods=names,
            teams=teams,
        )
        for position, photo in enumerate(photos):
            unit = Unit(evaluation=evaluation, position=position, name=photo.name, version=photo.version)
            if photo.version is None:
                suffix = photo.name.rpartition(".")[2].lower()
                write_file(unit.photo, f".{suffix}" if suffix.isalnum() else ".bin", photo.data)
            unit.save(force_insert=True)
        Unit.objects.create(evaluation=evaluation, kind=Unit.Kind.REPORT, position=len(photos), name="report")
        states.send_tokens(len(photos))
    return evaluation


def run_again(evaluation: Evaluation, owner: User) -> Evaluation:
    """The same photos, holes and models once more, with the models and programs as they are now.

    Raises `Refusal` (409) when a picture of a gallery is gone, or the person may not see it any more.
    """
    units = evaluation.units.filter(kind=Unit.Kind.PHOTO).select_related("version")
    photos = [
        NewPhoto(unit.name, read_file(unit.photo))
        if unit.photo
        else NewPhoto(unit.name, version=rights.upload_of(unit))
        for unit in units
    ]
    return start_evaluation(
        owner,
        photos,
        title=evaluation.title,
        protocol=evaluation.protocol,
        size=evaluation.size,
        seed=evaluation.seed,
        models=list(evaluation.methods),
    )


def cancel_evaluation(evaluation: Evaluation) -> Evaluation:
    """Make sure that it does not go on; one that has ended stays as it is."""
    states.cancel(evaluation)
    return evaluation


def share_evaluation(evaluation: Evaluation) -> str:
    """Let everybody who has the link see the report; returns the link's token.

    Raises `Refusal`: 409 before it is done, 403 when it shows pictures of a team in which the person may not share.
    """
    if evaluation.state != Evaluation.State.DONE:
        raise Refusal("not_done", "Only a finished report can be shared.", status=409)
    if not rights.may_share(evaluation):
        raise Refusal(
            "forbidden",
            "This report shows pictures of a team in which your role does not allow sharing; ask the team's owner.",
            status=403,
        )
    if not evaluation.share_token:
        evaluation.share_token = secrets.token_urlsafe(32)
        evaluation.save(update_fields=["share_token"])
    return evaluation.share_token


def unshare_evaluation(evaluation: Evaluation) -> None:
    """The link that was given away leads nowhere from now on."""
    evaluation.share_token = None
    evaluation.save(update_fields=["share_token"])


def delete_evaluation(evaluation: Evaluation) -> None:
    """Delete it with its photos, results and report. A worker that is at it notices and stops."""
    evaluation.delete()


def blind_votes(evaluation: Evaluation) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Pair of models → wins of the first, ties, wins of the second: all blind votes on pictures that the owner sees."""
    ballots = Ballot.objects.filter(picture__in=Picture.objects.visible_to(evaluation.owner))
    return {(each.model, each.other): (each.wins, each.ties, each.losses) for each in tallies(ballots)}


def _checked(protocol: str, size: str, seed: int, models: Sequence[str]) -> list[str]:
    if protocol not in PROTOCOLS:
        raise Refusal("no_such_protocol", f"Holes can be drawn by: {', '.join(PROTOCOLS)}.", status=422)
    if size not in SIZES:
        raise Refusal("no_such_size", f"Photos can be evaluated at: {', '.join(SIZES)}.", status=422)
    if not 0 <= seed <= LARGEST_SEED:
        raise Refusal("bad_seed", f"The seed must be a whole number from 0 to {LARGEST_SEED}.", status=422)
    try:
        return [each.name for each in parse_contestants(models)]
    except CatalogError as error:
        raise Refusal("bad_models", str(error), status=422) from None


def _check_work(photos: Sequence[NewPhoto], *, fills: int) -> None:
    """At full size nothing but this bounds how much there is to compute and to keep."""
    pixels = [width * height for width, height in (photo.size() for photo in photos)]
    most = settings.EVALUATION_FULL_MEGAPIXELS
    megapixels = sum(pixels) * fills / 1e6
    if megapixels > most:
        raise Refusal(
            "too_much_work",
            f"At full size this is {megapixels:,.0f} million pixels to fill and measure ({len(photos)} photos, {fills} "
            f"fills of each), and at most {most:,} are allowed here. Take fewer photos, holes or models, or 512 px.",
            status=422,
        )
