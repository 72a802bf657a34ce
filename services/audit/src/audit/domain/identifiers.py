"""Conversion of outside identifiers for PostgreSQL and the EventLog; none is refused (GW-12)."""

from contracts.ids import booking_id_of, digest_of, has_id_form, id_or_digest, is_digest, recorded_id
from contracts.text import sanitize_for_postgres


def identifier(text: str) -> str:
    """Return an identifier for an entry; a text without an id's form is replaced by its digest (AU-6)."""
    return text if has_id_form(text) else recorded_id(sanitize_for_postgres(text))


def short(text: str) -> str:
    """Return a text for an indexed column; a text that is too long is replaced by its digest."""
    return sanitize_for_postgres(id_or_digest(text))


def booking_identifier(text: str) -> str:
    """Return a booking's identifier: a UUID in lower case, so that every spelling finds the same entries.

    Another text is replaced by its digest: providers' metadata can hold any text that a person typed.
    """
    return booking_id_of(text) or (text if is_digest(text) else digest_of(sanitize_for_postgres(text)))
