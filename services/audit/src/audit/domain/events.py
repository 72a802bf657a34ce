"""Events as messages describe them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import cast

import msgspec

AUDIT = "audit"
"""Source of entries that audit itself adds; no message may claim it."""

BOOKING = "booking"
SERVICES = frozenset({BOOKING, "reconciler", "webhook-gateway", AUDIT})

_WEBHOOK_PREFIX = "/webhooks/"


class Origin(msgspec.Struct, frozen=True):
    """Topic (as on its card), partition and offset of a record."""

    topic: str
    partition: int
    offset: int


class Event(msgspec.Struct, frozen=True):
    """An event as its headers describe it (`contracts.metadata`), and its unchanged body.

    Attributes:
        verification: the gateway's result for a webhook's signature; None for other events.
        found_by: publisher of a webhook that the provider did not deliver: `sweep`; None for a delivery.
        not_applied: reason why no service applies a webhook; None for one that may be applied.
        trace_id: trace in which the event was handled, 32 hexadecimal digits; None without one.
    """

    id: str
    source: str
    type: str
    time: datetime | None
    subject: str | None
    sequence: int | None
    correlation_id: str | None
    causation_id: str | None
    verification: str | None
    body: bytes
    trace_id: str | None = None
    not_applied: str | None = None
    found_by: str | None = None

    @property
    def is_webhook(self) -> bool:
        """True if a provider delivered the event, so that its body is the provider's."""
        return self.source.startswith(_WEBHOOK_PREFIX)


def source_name(ce_source: str) -> str:
    """Return a sender's name: `/webhooks/stripe` is "stripe" (interface.md), a service keeps its name.

    A webhook source with the name of a service keeps its prefix, so that two senders have two names.
    """
    name = ce_source.removeprefix(_WEBHOOK_PREFIX)
    return ce_source if not name or name in SERVICES else name


class PayloadError(ValueError):
    """A payload breaks its contract. The event is recorded with this error."""


def read_payload(body: bytes) -> Mapping[str, object]:
    """Return the payload of a service's event; the last of repeated names counts (GW-12).

    A byte order mark before it is ignored (RFC 8259 §8.1).

    Raises:
        PayloadError: not a JSON object.
    """
    try:
        payload: object = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PayloadError("the payload is not JSON") from error
    if not isinstance(payload, dict):
        raise PayloadError("the payload is not a JSON object")
    return cast("dict[str, object]", payload)
