"""Text and identifiers from outside, made fit for PostgreSQL without ever refusing them (GW-12)."""

import hashlib
import re

from contracts.ids import ID_CHARACTERS_MAX

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def storable(text: str) -> str:
    """The text with U+0000 and half surrogate pairs replaced by U+FFFD: a text column takes neither."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def identifier(text: str) -> str:
    """An identifier that a column and its index hold; a longer one is replaced by its digest."""
    if len(text) > ID_CHARACTERS_MAX:
        return f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return storable(text)


def booking_identifier(text: str) -> str:
    """An identifier of a booking: a UUID in lower case, so that every spelling finds the same entries."""
    return text.lower() if is_uuid(text) else identifier(text)


def is_uuid(text: str) -> bool:
    """Whether the text has a UUID's canonical form, as booking ids do (`contracts.ids`)."""
    return _UUID.fullmatch(text) is not None
