"""Text as it is searched and sorted by: without case, accents and double spaces.

Databases do not agree on these (SQLite ignores the case of ASCII letters only), so both sides of every comparison are
folded here, and all databases find the same.
"""

from __future__ import annotations

import unicodedata

LONGEST_FOLDED = 200


def fold(text: str) -> str:
    """`text` in lower case, without accents, with single spaces, at most 200 characters: “Café  ÉTÉ” → “cafe ete”."""
    apart = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(plain.casefold().split())[:LONGEST_FOLDED]


def words_of(text: str) -> list[str]:
    """The folded words of a search, each once."""
    return list(dict.fromkeys(fold(text).split()))
