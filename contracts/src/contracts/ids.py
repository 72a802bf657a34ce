"""Names for identifiers, so that a booking's id is never taken for an event's."""

import hashlib
import re
from collections.abc import Iterable
from typing import NewType

BookingId = NewType("BookingId", str)
"""A booking's id as providers and people write it: a UUID in its canonical text form."""

EventId = NewType("EventId", str)
"""An event's id: unique within its source, for ever (AU-1). Providers choose their own form."""

RunId = NewType("RunId", str)
"""A reconciliation run's id."""

ID_CHARACTERS_MAX = 255
"""Longest id that is stored; a longer one from outside is replaced by its digest."""

_UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# Every character that is white space to Unicode, and those without width that come with copied text.
_BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)


def booking_id_of(text: str) -> BookingId | None:
    """Return the booking id that a text is, in lower case; None for a text that is no UUID in canonical form.

    White space around it is dropped. All services read ids by this function (GW-12a): what one of them takes
    for a booking's id is the same id to the others.
    """
    if _UUID.fullmatch(text) is None:
        text = text.strip(_BLANKS)
        if _UUID.fullmatch(text) is None:
            return None
    return BookingId(text.lower())


def booking_reference(values: Iterable[object]) -> str | None:
    """Return the booking that an object names at several places: the first booking id among `values`.

    Where none of them is one, return the first text that is not blank, stripped: no booking has it, and a
    person may recognise it. None where nothing is named.
    """
    other: str | None = None
    for value in values:
        if isinstance(value, str):
            booking_id = booking_id_of(value)
            if booking_id is not None:
                return booking_id
            other = other or value.strip(_BLANKS) or None
    return other


_DIGEST = "sha256:"
_DIGEST_FORM = re.compile("sha256:[0-9a-f]{64}")
_FORM = re.compile(r"/?[0-9A-Za-z][0-9A-Za-z._:/|-]*")
_PART = re.compile(r"[:|/]")
_LETTER = re.compile("[A-Za-z]")
_PHONE_DIGITS = range(7, 20)
"""Of a number that names a person or an account: telephone (7 to 15), card (12 to 19), social security."""


def has_id_form(text: str) -> bool:
    """Say whether a text looks like an id: a closed set of characters, and no number that may be a person's.

    A telephone number, an e-mail address, a text with blanks, and whatever is no ASCII are none.
    """
    if _UUID.fullmatch(text):
        return True
    if len(text) > ID_CHARACTERS_MAX or not _FORM.fullmatch(text):
        return False
    return not any(_is_number(part) for part in _PART.split(text))


def _is_number(part: str) -> bool:
    digits = sum(character.isdigit() for character in part)
    return digits in _PHONE_DIGITS and not _LETTER.search(part)


def recorded_id(text: str) -> str:
    """Return an id as it stands where nothing can be erased: itself, or its digest if it has no id's form.

    The same text has the same digest, so that it is still found, and still unique. A reader does not see the
    text, but whoever suspects it can compute its digest and compare.
    """
    if len(text) > ID_CHARACTERS_MAX:
        return id_or_digest(text)
    if has_id_form(text):
        return text
    return digest_of(text)


def is_digest(text: str) -> bool:
    """Say whether a text is what `digest_of` returns."""
    return _DIGEST_FORM.fullmatch(text) is not None


def digest_of(text: str) -> str:
    """Return what stands for a text that must not be read: its SHA-256."""
    return f"{_DIGEST}{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def id_or_digest(text: str) -> str:
    """Return an id as it is stored: one longer than `ID_CHARACTERS_MAX` is replaced by its digest."""
    if len(text) <= ID_CHARACTERS_MAX:
        return text
    return f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
