"""Text and identifiers from outside, made fit for PostgreSQL without ever refusing them (GW-12)."""

from contracts.ids import booking_id_of, digest_of, id_or_digest, is_digest, recorded_id
from contracts.text import sanitize_for_postgres


def identifier(text: str) -> str:
    """Return an identifier as an entry holds it: one that has no id's form gives way to its digest (AU-6)."""
    return recorded_id(sanitize_for_postgres(text))


def short(text: str) -> str:
    """Return a text that a column and its index hold; a longer one is replaced by its digest."""
    return sanitize_for_postgres(id_or_digest(text))


def booking_identifier(text: str) -> str:
    """Return a booking's identifier: a UUID in lower case, so that every spelling finds the same entries.

    A text that is none is replaced by its digest: providers' metadata hold whatever a person typed there.
    """
    return booking_id_of(text) or (text if is_digest(text) else digest_of(sanitize_for_postgres(text)))
