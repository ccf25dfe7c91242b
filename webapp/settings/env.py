"""Typed readers for environment variables; a bad value stops the start with one sentence."""

from __future__ import annotations

import os

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def env_str(name: str, default: str) -> str:
    """The variable's text, or `default` when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of a few words, in any case."""
    text = env_str(name, default).lower()
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}; it is {text!r}.")
    return text


def env_bool(name: str, default: bool) -> bool:
    """on/off, yes/no, true/false, 1/0."""
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be on or off; it is {text!r}.")


def env_int(name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """A whole number within the limits."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {text!r}.") from None
    if minimum is not None and number < minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}; it is {number}.")
    if maximum is not None and number > maximum:
        raise ImproperlyConfigured(f"{name} must be at most {maximum}; it is {number}.")
    return number


def env_list(name: str, default: list[str]) -> list[str]:
    """Comma-separated items."""
    text = os.environ.get(name, "").strip()
    return [item.strip() for item in text.split(",") if item.strip()] if text else list(default)
