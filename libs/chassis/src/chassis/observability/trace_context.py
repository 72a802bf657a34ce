"""W3C Trace Context: the `traceparent` that travels with every request and message (ALL-5).

A service that exports no spans passes on the `traceparent` that it received (W3C Trace Context §3.3).
"""

import random
import re
from collections.abc import Iterable
from contextvars import ContextVar, Token

HEADER = "traceparent"

_WELL_FORMED = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_ID = slice(3, 35)

# Seeded by the operating system. Identifiers must be unique, not secret; this takes a tenth of the time.
_random_bits = random.Random().getrandbits  # noqa: S311 - see above

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def read(values: Iterable[bytes]) -> str | None:
    """Return the traceparent of a request or message; None if there is not exactly one, well-formed.

    On None the caller starts a new trace (W3C Trace Context §3.2.2, §4.3).

    Args:
        values: of all headers named `traceparent`.
    """
    headers = list(values)
    return checked(headers[0].decode("latin-1")) if len(headers) == 1 else None


def checked(traceparent: str | None) -> str | None:
    """Return the traceparent, or None if it is not well-formed or not of version 00."""
    return traceparent if traceparent and _WELL_FORMED.fullmatch(traceparent) else None


def new() -> str:
    """Return the traceparent of a new trace that is not sampled."""
    digits = f"{_random_bits(192):048x}"
    return f"00-{digits[:32]}-{digits[32:]}-00"


def current() -> str | None:
    """Return the traceparent of the current request or message."""
    return _current.get()


class Carried:
    """Makes a traceparent the current one inside the block, for outbox rows and records made there."""

    __slots__ = ("_token", "_traceparent")

    def __init__(self, traceparent: str) -> None:
        self._traceparent = traceparent

    def __enter__(self) -> None:
        self._token: Token[str | None] = _current.set(self._traceparent)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def trace_id(traceparent: str) -> str:
    """Return the trace id of a traceparent: 32 hexadecimal digits."""
    return traceparent[_TRACE_ID]
