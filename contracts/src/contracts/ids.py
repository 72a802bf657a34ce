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


def id_or_digest(text: str) -> str:
    """Return an id as it is stored: one longer than `ID_CHARACTERS_MAX` is replaced by its digest."""
    if len(text) <= ID_CHARACTERS_MAX:
        return text
    return f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
