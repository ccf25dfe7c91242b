"""What a user name may look like."""

from __future__ import annotations

from django.core.validators import RegexValidator

# No “@”: one can sign in by e-mail address too, and nobody's name may look like somebody else's address.
username_validators = [
    RegexValidator(
        r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z",
        "A user name has letters, digits, dots, dashes and underscores, and begins and ends with a letter or digit.",
    )
]
