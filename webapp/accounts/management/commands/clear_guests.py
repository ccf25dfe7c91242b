"""Remove guests that nobody can come back to."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.accounts.services import clear_guests


class Command(BaseCommand):
    help = "Removes guests without a session, and those idle for some days, with their pictures, jobs and files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=30, help="Days without activity (default: 30).")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] < 0:
            raise CommandError("--days must not be negative.")
        removed = clear_guests(options["days"])
        self.stdout.write(f"Removed {removed} guest{'' if removed == 1 else 's'}.")
