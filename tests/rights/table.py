"""The form of the table of rights, and the site's addresses that it has to cover.

One row says for one address and method who gets in. Rows lie in the `rows_*.py` files beside this one, each for one
part of the site; a new file of that name is found by itself. Such a file has `ROWS`, and may have `furnish(world)`,
which makes what its addresses are about (see `world.py`).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

PEOPLE = ("visitor", "guest", "stranger", "elsewhere", "viewer", "reviewer", "editor", "owner", "staff", "person")
"""A visitor; a guest; an account in no team; the owner of another team; the team's members by role; an administrator
who is in no team; and the person whose own picture it is."""

Who = Mapping[str, frozenset[str]]


def _who(own: str, team: str) -> Who:
    return {"own": frozenset(own.split()), "team": frozenset(team.split())}


# By subject: what belongs to a person alone, and what belongs to the team.
LOOK = _who("person", "viewer reviewer editor owner")
REVIEW = _who("person", "reviewer editor owner")
EDIT = _who("person", "editor owner")
MEMBERS: Who = {"team": LOOK["team"]}
MANAGE: Who = {"team": frozenset({"owner"})}
OWN: Who = {"own": frozenset({"person"})}
STAFF: Who = {"own": frozenset({"staff"}), "team": frozenset({"staff"})}

# For addresses that are about nothing in particular.
ANYBODY: Who = {"site": frozenset(PEOPLE)}
SIGNED_IN: Who = {"site": frozenset(PEOPLE) - {"visitor"}}
ACCOUNTS: Who = {"site": frozenset(PEOPLE) - {"visitor", "guest"}}
STAFF_PAGES: Who = {"site": frozenset({"staff"})}


@dataclass(frozen=True)
class Row:
    """`route` is ``GET files/masks/{mask_id}``: a method, and the address with its arguments in braces.

    `who` says by subject (“own”, “team”, “site”) who gets in; whoever does not is refused. `body` makes the client's
    keyword arguments from the subject's things. `answers` are the statuses that whoever gets in may meet, where the
    rules of the matter, not of rights, say no to all of them. `arguments` are for addresses that no thing answers to.
    `instead` is where whoever may look at the thing, but not do this with it, is sent.
    """

    route: str
    who: Who
    body: Callable[[dict[str, Any]], dict[str, Any]] = lambda things: {}
    answers: tuple[int, ...] = ()
    arguments: Mapping[str, object] | None = None
    query: str = ""
    instead: str = ""

    @property
    def method(self) -> str:
        return self.route.split(" ", 1)[0].lower()

    @property
    def path(self) -> str:
        return self.route.split(" ", 1)[1]

    def url(self, things: Mapping[str, object]) -> str:
        """The address for these things; a `KeyError` names what `furnish` has to make."""
        return self._filled(self.path + self.query, things)

    def url_instead(self, things: Mapping[str, object]) -> str:
        """`instead` for these things."""
        return self._filled(self.instead, things)

    def _filled(self, path: str, things: Mapping[str, object]) -> str:
        values = {**things, **(self.arguments or {})}
        return "/" + re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), path)


def form(**fields: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A body that is a form with these fields; a value that is a function gets the subject's things."""
    return lambda things: {
        "data": {name: value(things) if callable(value) else value for name, value in fields.items()}
    }


def json(**fields: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The same as JSON."""
    return lambda things: {**form(**fields)(things), "content_type": "application/json"}


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every file of rows."""
    here = Path(__file__).parent
    return tuple(importlib.import_module(f"tests.rights.{path.stem}") for path in sorted(here.glob("rows_*.py")))


@cache
def rows() -> tuple[Row, ...]:
    """The whole table."""
    return tuple(row for module in modules() for row in module.ROWS)


def routes() -> set[str]:
    """Every address of the site, arguments in braces; those of the admin are covered by a rule instead of rows."""
    return {path for path in _walk(get_resolver().url_patterns, "") if not path.startswith("admin/")}


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for entry in patterns:
        path = prefix + _plain(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path)
        else:
            yield path


def _plain(pattern: str) -> str:
    """``files/<uuid:n>`` and ``^files/(?P<n>[0-9a-f]+)$`` both as ``files/{n}``."""
    named = re.sub(r"\(\?P<(\w+)>(?:\[[^\]]*\]\+?|[^()])*\)", r"{\1}", pattern)
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", named).removeprefix("^").removesuffix("$")
