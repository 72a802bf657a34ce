"""Names for identifiers, so that a booking's id is never taken for an event's."""

from typing import NewType

BookingId = NewType("BookingId", str)
"""A booking's id as providers and people write it: a UUID in its canonical text form."""

EventId = NewType("EventId", str)
"""An event's id: unique within its source, for ever (AU-1). Providers choose their own form."""

RunId = NewType("RunId", str)
"""A reconciliation run's id."""

ID_CHARACTERS_MAX = 255
"""Longest id that is stored; a longer one from outside is replaced by its digest."""
