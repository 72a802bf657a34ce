"""Text and identifiers from outside, made fit for PostgreSQL without ever refusing them (GW-12)."""

from contracts.ids import booking_id_of, id_or_digest


def storable(text: str) -> str:
    """The text with U+0000 and half surrogate pairs replaced by U+FFFD: a text column takes neither."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def identifier(text: str) -> str:
    """An identifier that a column and its index hold; a longer one is replaced by its digest."""
    return storable(id_or_digest(text))


def booking_identifier(text: str) -> str:
    """Return a booking's identifier: a UUID in lower case, so that every spelling finds the same entries."""
    return booking_id_of(text) or identifier(text)
