"""W3C Trace Context: the `traceparent` that travels with every request and message (ALL-5).

It travels whether or not spans are exported: a service that exports nothing hands on what it was given,
which is what W3C Trace Context §3.3 asks of one that takes no part in a trace.
"""

import random
import re
from collections.abc import Iterable
from contextvars import ContextVar, Token

HEADER = "traceparent"

_WELL_FORMED = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_ID = slice(3, 35)

_draw = random.Random().getrandbits  # noqa: S311 - unique, not secret: a system call each would cost ten times as much
"""Seeded by the operating system."""

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def read(values: Iterable[bytes]) -> str | None:
    """The trace context that the headers of that name hold; None if it is not exactly one, well-formed.

    Whoever gets None starts a new trace (W3C Trace Context §3.2.2, §4.3).
    """
    given = list(values)
    return checked(given[0].decode("latin-1")) if len(given) == 1 else None


def checked(traceparent: str | None) -> str | None:
    """The same, or None where it is not a version 00 traceparent."""
    return traceparent if traceparent and _WELL_FORMED.fullmatch(traceparent) else None


def new() -> str:
    """The beginning of a trace that nobody records yet."""
    drawn = f"{_draw(192):048x}"
    return f"00-{drawn[:32]}-{drawn[32:]}-00"


def current() -> str | None:
    """The trace context of the request in hand."""
    return _current.get()


class Carried:
    """Make it the current one inside the block, for whatever is written to an outbox or published there."""

    __slots__ = ("_token", "_traceparent")

    def __init__(self, traceparent: str) -> None:
        self._traceparent = traceparent

    def __enter__(self) -> None:
        self._token: Token[str | None] = _current.set(self._traceparent)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def trace_id(traceparent: str) -> str:
    """The 32 hexadecimal digits by which a trace is looked up."""
    return traceparent[_TRACE_ID]
