"""A configured sender, and the two that every deployment has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from webhook_gateway.domain.document import CHALLENGE_POINTERS, FormKind
from webhook_gateway.domain.identity import HeaderLocation, IdentityRule
from webhook_gateway.domain.pointer import parse_pointer
from webhook_gateway.domain.strict_json import Outline
from webhook_gateway.domain.verification import AcceptedScheme

SOURCE_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}")
"""A source's name stands in its URL, its topic and its metrics."""

NAMES_TAKEN = frozenset({"stripe", "sms", "rejected", "unknown"})
"""The sources that are always there, the topic of refusals, and the label of nobody's requests."""


class AnswerKind(StrEnum):
    """Body of the 200 response."""

    # `{"received": true}`.
    JSON = "json"
    # Nothing: Slack shows its users what stands in an answer to a command, and rejects JSON that it does not
    # know as an answer to a dialog (docs.slack.dev, on `view_submission`).
    EMPTY = "empty"
    # A TwiML document that asks for nothing: an incoming message or call that is answered with anything but
    # XML is an error at Twilio (its error 12300).
    TWIML = "twiml"


@dataclass(frozen=True)
class Source:
    """A sender of webhooks.

    Attributes:
        name: in the URL (`/webhooks/<name>`) and the topic (`webhooks.<name>.v1`).
        accepted: the schemes it may sign with; the delivery's headers choose.
        identity: where to find the identity of its deliveries.
        always_verified: verified even with ENABLE_WEBHOOK_VALIDATION off (GW-8).
        forms: how forms are read; None: every body has to be JSON, whatever its content type.
        answers_challenge: whether a `url_verification` is answered with its challenge (Slack).
        answer: body of the 200 otherwise.
    """

    name: str
    accepted: tuple[AcceptedScheme, ...]
    identity: IdentityRule
    always_verified: bool
    forms: FormKind | None = None
    answers_challenge: bool = False
    answer: AnswerKind = AnswerKind.JSON

    @cached_property
    def outline(self) -> Outline:
        """Return the outline of the values that the gateway reads from its bodies."""
        challenge = CHALLENGE_POINTERS if self.answers_challenge else ()
        return Outline([*self.identity.pointers(), *challenge])


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

# Both OpenPhone generations. The body's id is the event's and outlives deliveries and payload versions;
# Quo's `webhook-id` names the delivery and stands in only where the body has none.
SMS_IDENTITY = IdentityRule(
    event_id=(parse_pointer("/id"),),
    event_id_required=False,
    event_type=(parse_pointer("/type"),),
    object_id=(parse_pointer("/data/object/id"), parse_pointer("/data/resource/id")),
    booking_id=(),
    occurred_at=(parse_pointer("/createdAt"),),
)

# Standard Webhooks: `webhook-id` is the event's id, the same at each attempt, and it is signed.
_STANDARD_IDENTITY = IdentityRule(
    event_type=(parse_pointer("/type"), parse_pointer("/eventType")),
    object_id=(parse_pointer("/data/id"),),
    occurred_at=(parse_pointer("/timestamp"),),
)

IDENTITIES: Mapping[str, IdentityRule] = {
    "stripe": STRIPE_IDENTITY,
    "openphone-legacy": SMS_IDENTITY,
    "standard-webhooks": _STANDARD_IDENTITY,
    "standard-webhooks-v1a": _STANDARD_IDENTITY,
    "svix": _STANDARD_IDENTITY,
    "github": IdentityRule(
        event_id=(HeaderLocation(b"x-github-delivery"),),
        event_type=(HeaderLocation(b"x-github-event"),),
        object_id=(parse_pointer("/repository/id"),),
    ),
    "shopify": IdentityRule(
        event_id=(HeaderLocation(b"x-shopify-event-id"), HeaderLocation(b"x-shopify-webhook-id")),
        event_id_within=(
            HeaderLocation(b"x-shopify-topic"),
        ),  # one checkout is orders/create and orders/paid
        event_type=(HeaderLocation(b"x-shopify-topic"),),
        object_id=(parse_pointer("/admin_graphql_api_id"), parse_pointer("/id")),
        occurred_at=(HeaderLocation(b"x-shopify-triggered-at"),),
    ),
    "slack": IdentityRule(
        event_id=(parse_pointer("/event_id"), parse_pointer("/trigger_id")),
        event_type=(parse_pointer("/event/type"), parse_pointer("/command"), parse_pointer("/type")),
        object_id=(
            parse_pointer("/event/channel"),
            parse_pointer("/channel_id"),
            parse_pointer("/channel/id"),
            parse_pointer("/view/id"),
        ),
        occurred_at=(parse_pointer("/event_time"),),
    ),
    "twilio": IdentityRule(
        event_id=(HeaderLocation(b"i-twilio-idempotency-token"),),
        event_type=(parse_pointer("/SmsStatus"), parse_pointer("/CallStatus"), parse_pointer("/EventType")),
        object_id=(parse_pointer("/MessageSid"), parse_pointer("/SmsSid"), parse_pointer("/CallSid")),
    ),
    "square": IdentityRule(
        event_id=(parse_pointer("/event_id"),),
        event_id_required=True,
        event_type=(parse_pointer("/type"),),
        object_id=(parse_pointer("/data/id"),),
        occurred_at=(parse_pointer("/created_at"),),
    ),
    "paddle": IdentityRule(
        event_id=(parse_pointer("/event_id"),),
        event_id_required=True,
        event_type=(parse_pointer("/event_type"),),
        object_id=(parse_pointer("/data/id"),),
        occurred_at=(parse_pointer("/occurred_at"),),
    ),
    "sendgrid": IdentityRule(),
}
"""By scheme, where its deliveries say who they are. SendGrid's array of events is one; its id is derived."""

# Schemes that send forms besides JSON: GitHub, for a hook without a content type (REST API, `content_type`).
# Schemes that sign `{form}` send forms by their description.
FORM_SCHEMES: Mapping[str, FormKind] = {"slack": FormKind.EITHER, "github": FormKind.PAYLOAD}
CHALLENGE_SCHEMES = frozenset({"slack"})
