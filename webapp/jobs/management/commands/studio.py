"""``manage.py studio``: the whole studio on this machine, until Ctrl-C."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Run the website, the workers and Redis on this machine until Ctrl-C. HOST and PORT choose the address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--verbose", action="store_true", help="print what the processes write to var/log, too")

    def handle(self, *args: Any, verbose: bool, **options: Any) -> None:
        from webapp.jobs.studio import CannotStart, Studio

        try:
            status = Studio(out=sys.stdout, verbose=verbose).run()
        except CannotStart as error:
            self.stderr.write(str(error))
            status = 1
        except KeyboardInterrupt:
            status = 0
        sys.exit(status)
