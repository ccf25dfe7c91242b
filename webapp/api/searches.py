"""What a list of pictures can be asked for, by the API and by the address of a gallery's page."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from ninja import Field, Schema

from webapp.galleries import search


class SearchIn(Schema):
    """What to look for; everything that is given must hold."""

    team: UUID | None = Field(None, description="A team's gallery; your own pictures without it.")
    trash: bool = False
    q: str = Field("", max_length=200, description="Words in titles, tags and names of models.")
    tag: str = Field("", max_length=100)
    model: str = Field("", max_length=40)
    status: Literal["", "open", "approved", "changes"] = ""
    favourite: bool = False
    since: date | None = Field(None, description="First day on which it was added.")
    until: date | None = Field(None, description="Last day on which it was added.")
    share_from: float | None = Field(None, ge=0, le=1, description="Some mask covers at least this share.")
    share_to: float | None = Field(None, ge=0, le=1, description="Some mask covers at most this share.")
    sort: Literal["changed", "added", "title"] = "changed"

    def as_search(self) -> search.Search:
        """The same for the service."""
        return search.Search(**self.model_dump())
