"""Identifiers: one type each, one reader for booking ids, and the stored form of ids from outside."""

import hashlib
import re
from collections.abc import Iterable
from typing import NewType

# A UUID in its canonical text form.
BookingId = NewType("BookingId", str)
# Unique within its source, for ever (AU-1). Providers choose their own form.
EventId = NewType("EventId", str)
RunId = NewType("RunId", str)

# A longer id from outside is stored as its digest.
ID_CHARACTERS_MAX = 255

_UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# Every white-space character of Unicode, and the characters without width that copied text contains.
_BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)


def booking_id_of(text: str) -> BookingId | None:
    """Return the booking id in a text, in lower case; None if the text is no UUID in canonical form.

    White space around the id is dropped. All services read ids with this function (GW-12a), so that a text is
    the same id, or no id, for each of them.
    """
    if _UUID.fullmatch(text) is None:
        text = text.strip(_BLANKS)
        if _UUID.fullmatch(text) is None:
            return None
    return BookingId(text.lower())


def booking_reference(values: Iterable[object]) -> str | None:
    """Return the first booking id among `values`, the places at which an object can name its booking.

    Without a booking id, return the first text that is not blank, stripped: no booking has this id, but a
    person may recognise the text. Return None if there is no text.
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
# Most ids: the form, in one part that has a letter.
_WORD = re.compile(r"(?=[0-9._-]*[A-Za-z])[0-9A-Za-z][0-9A-Za-z._-]*")
_LETTER = re.compile("[A-Za-z]")
# Numbers of a person or an account: telephone (7 to 15 digits), card (12 to 19), social security.
_PHONE_DIGITS = range(7, 20)


def has_id_form(text: str) -> bool:
    """Return True if a text has the form of an id: a closed set of ASCII characters, and no personal number.

    A telephone number, an e-mail address and a text with blanks do not have the form of an id.
    """
    if _UUID.fullmatch(text) or (len(text) <= ID_CHARACTERS_MAX and _WORD.fullmatch(text)):
        return True
    if len(text) > ID_CHARACTERS_MAX or not _FORM.fullmatch(text):
        return False
    return not any(_is_number(part) for part in _PART.split(text))


def _is_number(part: str) -> bool:
    # Nearly every id has a letter, and the search is much cheaper than counting digits.
    return not _LETTER.search(part) and sum(map(str.isdigit, part)) in _PHONE_DIGITS


def recorded_id(text: str) -> str:
    """Return an id for a store that cannot erase: the id itself, or its digest if it has no id's form.

    The same text has the same digest, so the id can be found and stays unique. A reader does not see the
    text, but a reader who guesses the text can compute its digest and compare.
    """
    if len(text) > ID_CHARACTERS_MAX:
        return id_or_digest(text)
    if has_id_form(text):
        return text
    return digest_of(text)


def is_digest(text: str) -> bool:
    """Return True if a text has the form of a result of `digest_of`."""
    return _DIGEST_FORM.fullmatch(text) is not None


def digest_of(text: str) -> str:
    """Return the SHA-256 that replaces a text that must not be readable."""
    return f"{_DIGEST}{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def id_or_digest(text: str) -> str:
    """Return the id for storage: the digest, if it is longer than `ID_CHARACTERS_MAX`."""
    if len(text) <= ID_CHARACTERS_MAX:
        return text
    return f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
