"""A configured sender, and the two that every deployment has."""

import re
from dataclasses import dataclass

from webhook_gateway.domain.identity import IdentityRule
from webhook_gateway.domain.pointer import parse_pointer
from webhook_gateway.domain.verification import AcceptedScheme

SOURCE_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}")
"""A source's name stands in its URL, its topic and its metrics."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sender of webhooks.

    Attributes:
        name: in the URL (`/webhooks/<name>`) and the topic (`webhooks.<name>.v1`).
        accepted: the schemes it may sign with; the delivery's headers choose.
        identity: where its bodies say who they are.
        always_verified: verified even with ENABLE_WEBHOOK_VALIDATION off (GW-8).
    """

    name: str
    accepted: tuple[AcceptedScheme, ...]
    identity: IdentityRule
    always_verified: bool


STRIPE_IDENTITY = IdentityRule(
    event_id=(parse_pointer("/id"),),
    event_id_required=True,
    event_type=(parse_pointer("/type"),),
    object_id=(parse_pointer("/data/object/id"), parse_pointer("/related_object/id")),
    booking_id=(
        parse_pointer("/data/object/metadata/booking_id"),
        parse_pointer("/data/object/metadata/bookingId"),
    ),
    occurred_at=(parse_pointer("/created"),),
)
"""Snapshot events, and thin ones (`v2.core.event`), whose object is `related_object`."""

SMS_IDENTITY = IdentityRule(
    event_id=(parse_pointer("/id"),),
    event_id_required=False,
    event_type=(parse_pointer("/type"),),
    object_id=(parse_pointer("/data/object/id"), parse_pointer("/data/resource/id")),
    booking_id=(),
    occurred_at=(parse_pointer("/createdAt"),),
)
"""Both OpenPhone generations. The body's id is the event's and outlives deliveries and payload versions;
Quo's `webhook-id` names the delivery and stands in only where the body has none."""
