"""HTML out of nested calls; whatever is not `Markup` is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = {"img", "br", "hr", "meta", "input"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = "Markup | str | int | float | Iterable[Child] | None"


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element. Attribute names lose a trailing underscore and turn others into hyphens; None and False are left out.

    Strings among the children are escaped, lists are joined, None is nothing.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        parts.append(attribute if value is True else f'{attribute}="{escape(str(value), quote=True)}"')
    opening = f"<{' '.join(parts)}>"
    if name in _VOID:
        return Markup(opening)
    return Markup(f"{opening}{join(children)}</{name}>")


def join(children: object) -> Markup:
    """Children side by side."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(escape(children, quote=False))
    if isinstance(children, Iterable):
        return Markup("".join(join(child) for child in children))
    return Markup(escape(str(children), quote=False))
