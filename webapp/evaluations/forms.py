"""The form of a new evaluation: what was filled in, and what there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse

from inpainting.catalog import offered
from inpainting.evaluation.peers import REFERENCES
from inpainting.evaluation.protocols import PROTOCOLS, SIZES
from webapp.errors import Refusal
from webapp.evaluations.uploads import MINE
from webapp.photos.models import Picture, Version
from webapp.photos.samples import all_samples
from webapp.teams.models import Team

if TYPE_CHECKING:
    from webapp.accounts.models import User

_MOST_PICTURES = 60


@dataclass(slots=True)
class Wishes:
    """The form as it was sent; a fresh one has the defaults."""

    title: str = ""
    protocol: str = "irregular"
    size: str = "256"
    seed: str = "0"
    galleries: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=lambda: ["telea", "patchmatch"])
    params: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, post: QueryDict) -> Wishes:
        """From a form; parameters are called ``param:MODEL:NAME``."""
        params: dict[str, dict[str, str]] = {}
        for name in post:
            kind, _, rest = name.partition(":")
            model, _, param = rest.partition(":")
            if kind == "param" and param:
                params.setdefault(model, {})[param] = post.get(name, "")
        return cls(
            title=post.get("title", ""),
            protocol=post.get("protocol", ""),
            size=post.get("size", ""),
            seed=post.get("seed", ""),
            galleries=post.getlist("galleries"),
            pictures=post.getlist("pictures"),
            samples=post.getlist("samples"),
            chosen=post.getlist("models"),
            params=params,
        )

    def seed_number(self) -> int:
        """Raises `Refusal` when it is no whole number."""
        try:
            return int(self.seed or "0")
        except ValueError:
            raise Refusal("bad_seed", "The seed must be a whole number.", status=422) from None

    def models(self) -> list[str]:
        """As on the command line; parameters that were left at their defaults are not named."""
        found = []
        for key in self.chosen:
            defaults = {param.name: param.default for entry in offered() if entry.key == key for param in entry.params}
            given = {
                name: value
                for name, value in self.params.get(key, {}).items()
                if name in defaults and value != _text(defaults[name])
            }
            found.append(f"{key}:{';'.join(f'{name}={value}' for name, value in given.items())}" if given else key)
        return found


def choices(user: User | AnonymousUser, wishes: Wishes) -> dict[str, Any]:
    """What the form offers."""
    return {
        "protocols": list(PROTOCOLS.values()),
        "sizes": [(size, "Full size" if size == "full" else f"{size} × {size} px") for size in SIZES],
        "samples": all_samples(),
        "galleries": _galleries(user, wishes),
        "models": [
            {
                "key": entry.key,
                "title": entry.title,
                "summary": entry.summary,
                "cost": entry.cost,
                "params": [
                    {
                        "field": f"param:{entry.key}:{param.name}",
                        "label": param.label,
                        "help": param.help,
                        "choices": [str(choice) for choice in param.choices]
                        or (["off", "on"] if param.kind == "bool" else []),
                        "minimum": param.minimum,
                        "maximum": param.maximum,
                        "step": 1 if param.kind == "int" else "any",
                        "value": wishes.params.get(entry.key, {}).get(param.name, _text(param.default)),
                    }
                    for param in entry.params
                ],
            }
            for entry in offered()
        ],
        "references": [{"key": key, "title": title, "summary": words} for key, (title, words, _) in REFERENCES.items()],
    }


def _galleries(user: User | AnonymousUser, wishes: Wishes) -> list[dict[str, Any]]:
    """One's own pictures and those of each team; empty galleries are left out."""
    found: list[tuple[str, str, QuerySet[Picture]]] = [(MINE, "My pictures", Picture.objects.owned_by(user))]
    for team in Team.objects.visible_to(user):
        found.append((str(team.pk), team.name, Picture.objects.visible_to(user).of_team(team)))
    galleries = []
    for key, name, rows in found:
        count = rows.count()
        if count:
            pictures = _pictures(rows)
            is_open = any(picture["id"] in wishes.pictures for picture in pictures)
            galleries.append({"key": key, "name": name, "count": count, "pictures": pictures, "open": is_open})
    return galleries


def _pictures(gallery: QuerySet[Picture]) -> list[dict[str, Any]]:
    """What there is to tick: the pictures that were changed last."""
    rows = list(gallery[:_MOST_PICTURES])
    uploads = dict(Version.objects.filter(picture__in=rows, parent__isnull=True).values_list("picture_id", "id"))
    return [
        {"id": str(row.pk), "title": row.title, "thumb_url": reverse("version_thumb", args=[uploads[row.pk]])}
        for row in rows
        if row.pk in uploads
    ]


def _text(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
