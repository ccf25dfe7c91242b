"""What an evaluation may still show: photos of galleries belong to people and teams, and rights may become fewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from webapp.errors import Refusal
from webapp.evaluations.models import Evaluation, Unit
from webapp.photos.files import read_file
from webapp.photos.models import Version
from webapp.teams import policies

if TYPE_CHECKING:
    from webapp.accounts.models import User


def teams_of_photos(person: User, versions: Sequence[Version]) -> list[str]:
    """Ids of the teams that `versions` belong to; raises `Refusal` (409) unless `person` may see every one of them."""
    wanted = {version.pk for version in versions}
    seen = dict(Version.objects.visible_to(person).filter(pk__in=wanted).values_list("pk", "picture__team"))
    if len(seen) != len(wanted):
        raise _gone()
    return sorted({str(team) for team in seen.values() if team is not None})


def upload_of(unit: Unit) -> Version:
    """The version that `unit` reads; raises `Refusal` (409) when it was deleted."""
    if unit.version is None:
        raise _gone()
    return unit.version


def teams_of(unit: Unit) -> list[str]:
    """The team that a photo's unit shows a picture of, if any; raises `Refusal` as `read_photo` does."""
    return [] if unit.photo else teams_of_photos(unit.evaluation.owner, [upload_of(unit)])


def read_photo(unit: Unit) -> bytes:
    """The file of a photo's unit; raises `Refusal` (409) when its owner may not see the picture any more."""
    if unit.photo:
        return read_file(unit.photo)
    version = upload_of(unit)
    teams_of_photos(unit.evaluation.owner, [version])
    try:
        return read_file(version.file)
    except FileNotFoundError:
        raise _gone() from None


def may_look(evaluation: Evaluation) -> bool:
    """Whether its owner is still in every team whose pictures the report shows."""
    return all(policies.role_in(evaluation.owner, UUID(team)) is not None for team in evaluation.teams)


def may_share(evaluation: Evaluation) -> bool:
    """Whether its owner may show to others what the report shows."""
    return all(policies.can_share_team(evaluation.owner, UUID(team)) for team in evaluation.teams)


def _gone() -> Refusal:
    return Refusal("not_in_galleries", "This picture is in no gallery of yours any more.", status=409)
