"""Fill an empty site with people, teams and pictures."""

from __future__ import annotations

import secrets
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.accounts.models import User
from webapp.teams.demo import ADMIN, PEOPLE, TEAMS, make_demo


class Command(BaseCommand):
    help = (
        "Makes people, teams and pictures with versions, to look around in. For an empty site; all have one password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--pictures", type=int, default=200, help="How many (default: 200).")
        parser.add_argument("--password", default="", help="Of everybody; a new one is made and shown without it.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["pictures"] < 0:
            raise CommandError("--pictures must not be negative.")
        taken = sorted(User.objects.filter(username__in=[*PEOPLE, ADMIN]).values_list("username", flat=True))
        if taken:
            raise CommandError(f"There are accounts of these names already: {', '.join(taken)}. Nothing was made.")
        password = options["password"] or secrets.token_urlsafe(9)
        began = time.monotonic()
        demo = make_demo(options["pictures"], password, tell=self.stdout.write)
        self.stdout.write(f"Made in {time.monotonic() - began:.0f} s. Everybody signs in with the password {password}")
        for name in demo.people:
            roles = [f"{members[name].label} of {team}" for team, members in TEAMS.items() if name in members]
            self.stdout.write(f"  {name:<8} {', '.join(roles) or 'runs the site'}")
        for line in demo.lines:
            self.stdout.write(f"There is {line}")
