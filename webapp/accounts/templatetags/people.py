"""What pages about people show."""

from __future__ import annotations

from django import template

register = template.Library()

# The first that is named counts: every browser names those that it wants to be taken for, too.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


@register.filter
def browser(user_agent: str) -> str:
    """“Firefox on Windows”; what is neither a known browser nor a known system keeps the words it sent."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or user_agent[:_LONGEST] or "Unknown browser"
