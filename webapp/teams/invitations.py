"""Ways into a team: a message to one address, or a link. The token is shown once; only its hash is kept."""

from __future__ import annotations

import hashlib
import logging
import secrets
import smtplib
from datetime import timedelta
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Lower, Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.limits import use_allowance
from webapp.errors import Refusal, not_found
from webapp.notifications.services import Kind, notify
from webapp.teams import policies
from webapp.teams.activity import record
from webapp.teams.models import Activity, Invitation, Membership, Role, Team
from webapp.teams.services import ARTICLE, team_url

if TYPE_CHECKING:
    from webapp.accounts.models import User

logger = logging.getLogger(__name__)

MOST_DAYS = 90
BY_LINK = "people by a link"
_BYTES = 32


def invite(
    team: Team, *, by: User, role: str, email: str = "", days: int | None = None, site: str | None = None
) -> tuple[Invitation, str]:
    """Ask somebody in as `role`: by e-mail, or without an address by a link for several people.

    Returns the invitation and its token, which is nowhere to be had again. `site` is the scheme and name that the
    link in the mail begins with (None: `SITE_URL`). An invitation by e-mail that is still open for the same address
    is replaced. Raises `Refusal`: not the owner (403), a role or an address that is none, a time out of range (422),
    too many invitations (429), the mail cannot be sent (503).
    """
    if not policies.can_manage(by, team):
        raise policies.forbidden() if policies.role_in(by, team) else not_found()
    email = email.strip().lower()
    days = settings.TEAMS.invitation_days if days is None else days
    _check(team, role, email, days)
    use_allowance(
        "invite",
        str(by.pk),
        limit=settings.TEAMS.invitations_per_hour,
        seconds=3600,
        message="You sent many invitations within an hour; wait a while before you send more.",
    )
    token = secrets.token_urlsafe(_BYTES)
    with transaction.atomic():
        if email:
            _open(team).filter(email=email).update(revoked_at=Now())
        invitation = Invitation.objects.create(
            team=team,
            role=role,
            email=email,
            token_hash=_hash(token),
            invited_by=by,
            expires_at=timezone.now() + timedelta(days=days),
        )
        whom = email or BY_LINK
        record(team, Activity.Kind.INVITED, by, subject=whom, detail=f"As {ARTICLE[Role(role)]}.")
        for person in _people_at(email):
            text = f"{by} asks you to join {team.name} as {ARTICLE[Role(role)]}."
            notify(person, Kind.INVITATION, text, url=reverse("teams:list"), actor=by)
        if email:
            _mail(invitation, by, join_url(token, site))
    return invitation, token


def revoke(invitation: Invitation, *, by: User) -> None:
    """Make the invitation useless; for the team's owner. Whoever came in by it stays."""
    if not policies.can_manage(by, invitation.team):
        raise policies.forbidden() if policies.role_in(by, invitation.team) else not_found()
    with transaction.atomic():
        if Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=Now()):
            whom = invitation.email or BY_LINK
            record(invitation.team, Activity.Kind.INVITATION_REVOKED, by, subject=whom)


def invitation_by(token: str) -> Invitation | None:
    """The open invitation with this token."""
    found: Invitation | None = (
        Invitation.objects.open().select_related("team", "invited_by").filter(token_hash=_hash(token)).first()
    )
    return found


def invitations_for(user: User) -> QuerySet[Invitation]:
    """Open invitations to addresses that `user` has proved to be theirs, to teams that they are not in."""
    addresses = EmailAddress.objects.filter(user=user, verified=True).values(lower=Lower("email"))
    rows: QuerySet[Invitation] = (
        Invitation.objects.open()
        .filter(email__in=addresses)
        .exclude(email="")
        .exclude(team__memberships__user=user)
        .select_related("team", "invited_by")
    )
    return rows


def accept(invitation: Invitation, user: User) -> Membership:
    """Join the team; whoever is in it already keeps their role. The caller has checked that `user` may use it.

    Raises `Refusal`: a guest (403), an invitation that was used, revoked, or is too old (410).
    """
    if user.is_guest:
        raise Refusal("account_needed", "Teams are for people with an account; make one first.", status=403)
    team = invitation.team
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)  # one who joins twice at the same moment joins once
        existing: Membership | None = Membership.objects.filter(team=team, user=user).first()
        if existing is not None:
            return existing
        # Counting the use up is what decides who gets in when two people use one message at the same moment.
        if not Invitation.objects.open().filter(pk=invitation.pk).update(uses=F("uses") + 1):
            raise gone()
        membership = Membership.objects.create(team=team, user=user, role=invitation.role)
        record(team, Activity.Kind.JOINED, user, subject=ARTICLE[Role(invitation.role)].split()[-1])
        owner = Membership.objects.select_related("user").filter(team=team, role=Role.OWNER).first()
        if owner is not None:
            notify(owner.user, Kind.TEAM, f"{user} joined {team.name}.", url=team_url(team), actor=user)
    return membership


def decline(invitation: Invitation) -> None:
    """Whoever was asked says no: the invitation is of no use any more."""
    Invitation.objects.filter(pk=invitation.pk).update(revoked_at=Now())


def gone() -> Refusal:
    """What everybody gets whose invitation lets nobody in."""
    return Refusal(
        "invitation_gone",
        "This invitation is not valid any more: it was used, taken back, or is too old. Ask for a new one.",
        status=410,
    )


def join_url(token: str, site: str | None = None) -> str:
    """The whole address by which the token is used, on `site` (None: `SITE_URL`)."""
    return f"{(site or settings.SITE_URL).rstrip('/')}{reverse('teams:join', args=[token])}"


def _check(team: Team, role: str, email: str, days: int) -> None:
    if role not in Role.values or role == Role.OWNER:
        raise Refusal("bad_role", "Somebody can be asked in as an editor, a reviewer or a viewer.", status=422)
    if not 1 <= days <= MOST_DAYS:
        raise Refusal("bad_days", f"An invitation is valid for 1 to {MOST_DAYS} days.", status=422)
    if not email:
        return
    try:
        validate_email(email)
    except ValidationError:
        raise Refusal("bad_email", "This is not an e-mail address.", status=422) from None
    if team.memberships.filter(user__in=_people_at(email)).exists():
        raise Refusal("is_member", "Whoever has this address is in the team already.", status=409)


def _people_at(email: str) -> list[User]:
    """Accounts that have proved this address to be theirs."""
    if not email:
        return []
    return list(
        get_user_model().objects.filter(emailaddress__email__iexact=email, emailaddress__verified=True, is_active=True)
    )


def _open(team: Team) -> QuerySet[Invitation]:
    rows: QuerySet[Invitation] = Invitation.objects.open().filter(team=team)
    return rows


def _mail(invitation: Invitation, by: User, url: str) -> None:
    """Sent while the person waits: the token is not kept, so nobody could send it later."""
    context = {
        "team": invitation.team,
        "by": by,
        "role": ARTICLE[Role(invitation.role)],
        "url": url,
        "expires_at": invitation.expires_at,
    }
    subject = f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{by} asks you to join {invitation.team}"
    try:
        send_mail(subject[:150], render_to_string("teams/mail/invitation.txt", context), None, [invitation.email])
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("An invitation could not be mailed: %s", error)
        raise Refusal(
            "mail_failed", "The invitation could not be mailed just now. Make a link instead, or try later.", status=503
        ) from None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
