"""Preconditions of a write: Idempotency-Key."""

from typing import Annotated

from litestar.params import HeaderParameter

from chassis.http.problems import InvalidRequestError

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

IdempotencyKey = Annotated[
    str | None, HeaderParameter(name="Idempotency-Key", max_length=IDEMPOTENCY_KEY_CHARACTERS_MAX)
]


def parse_idempotency_key(key: str | None) -> str | None:
    """Return the key unchanged; None without one.

    Raises:
        InvalidRequestError: the key is empty.
    """
    if key is not None and not key.strip():
        raise InvalidRequestError("Idempotency-Key", "empty; leave it away or give it a value")
    return key
