"""Search in entries: a phrase is words in order within one field, the last one a prefix (AU-5).

A word is a run of ASCII letters and digits and of characters beyond ASCII. Everything else parts words, so
`payment_intent` is two. Letters of ASCII match in either case. The same rules stand here for Python
(`matches`, `lexemes_of`) and for PostgreSQL (`patterns_of`, `terms_of`); a test compares them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FIELD_BORDER = "\x01"
"""Joins the fields of an entry; no phrase reaches across."""

INDEXED_CHARACTERS_MAX = 64
"""The index knows this much of a word's beginning."""

_WORD = re.compile("[0-9A-Za-z\x80-\U0010ffff]+")
_SEPARATOR = "[\x02-/:-@[-`{-\x7f]"
_BEGINNING = "(?:^|[\x01-/:-@[-`{-\x7f])"
_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})

# The middle parts of a UUID: four hexadecimal digits. Nearly every block of entries has any of them.
_UUID_PART_CHARACTERS = 4
_HEXADECIMAL = frozenset("0123456789abcdef")
_DIGITS = frozenset("0123456789")
# A shorter beginning fits so many words that reading them costs more than reading entries.
_PREFIX_CHARACTERS_MIN = 3


@dataclass(frozen=True, slots=True)
class Term:
    """A condition that the index can answer: a block of entries has this lexeme, or one that begins so."""

    lexeme: str
    is_prefix: bool = False


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order, in lower case."""
    # `lower` does the same to ASCII in a tenth of the time.
    return _WORD.findall(text.lower() if text.isascii() else text.translate(_LOWER))


def matches(phrase: Sequence[str], fields: Iterable[str | None]) -> bool:
    """Return whether a field has the words in order, the last one as the beginning of a word."""
    return any(_is_in(phrase, words_of(field)) for field in fields if field)


def _is_in(phrase: Sequence[str], words: Sequence[str]) -> bool:
    *whole, last = phrase
    return any(
        words[start + len(whole)].startswith(last) and list(words[start : start + len(whole)]) == whole
        for start in range(len(words) - len(whole))
    )


def patterns_of(phrase: Sequence[str]) -> tuple[str, str]:
    """Return a LIKE pattern and a regular expression that lower-case fields, joined by FIELD_BORDER, match.

    Everything that matches the expression (an ARE of PostgreSQL) matches the LIKE pattern too.
    """
    return f"%{'%'.join(phrase)}%", _BEGINNING + f"{_SEPARATOR}+".join(phrase)


def lexemes_of(texts: Iterable[str]) -> set[str]:
    """Return the lexemes under which the index finds entries with these texts."""
    # Together: a call for each text would take as long as finding its words.
    words = set(words_of(FIELD_BORDER.join(texts)))
    return {word[:INDEXED_CHARACTERS_MAX] for word in words if not _is_uuid_part(word)}


def terms_of(phrase: Sequence[str]) -> list[Term]:
    """Return what every block with a match has; nothing if the index knows none of the words."""
    *whole, last = phrase
    terms = [Term(word[:INDEXED_CHARACTERS_MAX]) for word in whole if not _is_uuid_part(word)]
    if _is_indexed_prefix(last):
        terms.append(Term(last[:INDEXED_CHARACTERS_MAX], is_prefix=True))
    return terms


def _is_uuid_part(word: str) -> bool:
    # With a digit: "dead" and "face" are words.
    return len(word) == _UUID_PART_CHARACTERS and _HEXADECIMAL.issuperset(word) and bool(_DIGITS & {*word})


def _is_indexed_prefix(beginning: str) -> bool:
    """Return whether the index has every word that begins so."""
    if len(beginning) < _PREFIX_CHARACTERS_MIN or _is_uuid_part(beginning):
        return False
    return len(beginning) >= _UUID_PART_CHARACTERS or not _HEXADECIMAL.issuperset(beginning)
