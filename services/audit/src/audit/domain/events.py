"""What the audit service knows of a message before it says anything about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

AUDIT = "audit"
"""Source of the entries that this service adds by itself; no message may claim it."""

BOOKING = "booking"
SERVICES = frozenset({BOOKING, "reconciler", "webhook-gateway", AUDIT})

_WEBHOOK_PREFIX = "/webhooks/"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stands: topic as on its card, partition, offset."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Event:
    """An event as its headers describe it (`contracts.metadata`), and its body as it came.

    Attributes:
        verification: what the gateway says of a webhook's signature; None for everything else.
        not_applied: why a webhook changes nothing in any service; None where it may.
        trace_id: of the trace that it was handled in, 32 hexadecimal digits; None where it carries none.
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

    @property
    def is_webhook(self) -> bool:
        """Whether a provider delivered it: then its body is the provider's own."""
        return self.source.startswith(_WEBHOOK_PREFIX)


def source_name(ce_source: str) -> str:
    """A sender's name: `/webhooks/stripe` is "stripe" (interface.md), a service is called as it is.

    A webhook source that is named like a service keeps its prefix: names of two senders stay apart.
    """
    name = ce_source.removeprefix(_WEBHOOK_PREFIX)
    return ce_source if not name or name in SERVICES else name


class PayloadError(ValueError):
    """A payload is not what its contract says. The event is recorded all the same, with this as its error."""


def read_payload(body: bytes) -> Mapping[str, object]:
    """Return the payload of a service's own event; of a repeated name the last counts (GW-12).

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
