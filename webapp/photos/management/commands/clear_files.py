"""Remove stored files that no row refers to."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.photos.files import stray_files


class Command(BaseCommand):
    help = "Removes stored files that no picture refers to, as a process killed between file and row leaves them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only list them.")
        parser.add_argument(
            "--hours",
            type=float,
            default=24,
            help="Leave younger files alone: their rows may be on the way (default: 24).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["hours"] < 0:
            raise CommandError("--hours must not be negative.")
        strays = list(stray_files(timedelta(hours=options["hours"])))
        for storage, name in strays:
            if options["dry_run"]:
                self.stdout.write(name)
            else:
                storage.delete(name)
        verb = "Found" if options["dry_run"] else "Removed"
        self.stdout.write(f"{verb} {len(strays)} file{'' if len(strays) == 1 else 's'}.")
