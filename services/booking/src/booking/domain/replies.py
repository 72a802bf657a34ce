"""Decides whether the text of an SMS accepts an offer (BK-9). Only a whole text that is a yes does."""

import unicodedata

YES = frozenset({"yes", "y", "accept", "i accept"})

_THUMBS_UP = "\N{THUMBS UP SIGN}"
# Characters that are neither punctuation nor white space by their category. Phones write the first two for an
# apostrophe. The others are invisible: fillers of Hangul, blank Braille, joiners, selectors of glyphs.
_APOSTROPHES = "\u0060\u00b4"
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x1F3FB, 0x1F400))


def is_yes(text: str) -> bool:
    """Return True if the whole text is yes, y, accept or i accept.

    Case, surrounding space, surrounding punctuation, invisible characters and a thumbs-up do not matter. Any
    other word or symbol does: a condition, a reaction that quotes a text, a quoted message below.
    """
    # Stripped before and after: NFKC turns some punctuation into a space and an accent, and some into more.
    bare = _strip("".join(map(_plain, text)))
    folded = unicodedata.normalize("NFKC", bare).casefold()
    words = _strip(folded).split()
    return " ".join(words) in YES


def _plain(character: str) -> str:
    if character == _THUMBS_UP or character in _APOSTROPHES:
        return " "
    return "" if _is_invisible(character) else character


def _is_invisible(character: str) -> bool:
    if character in _INVISIBLE or any(ord(character) in selectors for selectors in _SELECTORS):
        return True
    category = unicodedata.category(character)
    return category == "Cf" or (category == "Cc" and not character.isspace())


def _strip(text: str) -> str:
    """Return the text without white space and punctuation at both ends."""
    begin, end = 0, len(text)
    while begin < end and _is_decoration(text[begin]):
        begin += 1
    while begin < end and _is_decoration(text[end - 1]):
        end -= 1
    return text[begin:end]


def _is_decoration(character: str) -> bool:
    return character.isspace() or unicodedata.category(character).startswith("P")
