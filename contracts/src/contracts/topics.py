"""Topic cards: the one definition of each topic.

`plumbline topics apply` creates topics from the cards, `plumbline doctor` compares the broker with the cards,
and a tidy test refuses a topic name without a card.
"""

import re
from dataclasses import dataclass
from functools import cache

# Every source's topic and `webhooks.rejected.v1`, for a consumer of all of them.
WEBHOOK_TOPIC_PATTERN = r"webhooks\.[a-z0-9-]+\.v1"

# A body of 1 MiB and its headers; the gateway's own limit (GW-12) is smaller.
_MESSAGE_BYTES_MAX = 1024 * 1024 + 64 * 1024


@dataclass(frozen=True, slots=True)
class TopicCard:
    """One topic.

    Attributes:
        name: without the deployment's TOPIC_PREFIX.
        purpose: one sentence for a person who finds the topic on a broker.
        key: meaning of the record key; records of one key keep their order.
        partitions: never changed once created, or keys change their partition.
        retention_hours: None keeps records for ever; not where records can hold personal data (ALL-8).
        producers: service names.
        consumers: service names; "any" for every reader.
        personal_data: kinds of personal data in its records; empty for none.
        sources: the permitted values of `ce_source`.
        type_prefixes: the permitted beginnings of `ce_type`.
        verifications: the permitted values of `plumbline-verification`; empty for no check.
    """

    name: str
    purpose: str
    key: str
    partitions: int
    retention_hours: int | None
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    sources: tuple[str, ...]
    type_prefixes: tuple[str, ...]
    personal_data: str
    verifications: tuple[bytes, ...] = ()

    def config(self) -> dict[str, str]:
        """Return the topic's configuration for the broker; retention in milliseconds, -1 for ever."""
        retention_ms = -1 if self.retention_hours is None else self.retention_hours * 3_600_000
        return {
            "retention.ms": str(retention_ms),
            "cleanup.policy": "delete",
            "max.message.bytes": str(_MESSAGE_BYTES_MAX),
        }


# Booking acts on deliveries of these sources. Deliveries of other sources are only recorded.
_APPLIED = frozenset({"stripe", "sms"})

# The reconciler publishes events of these sources that were never delivered (REC-13).
_SWEPT = frozenset({"stripe"})

# The gateway verifies these sources even if validation is off (GW-8): an unverified record is no delivery.
ALWAYS_VERIFIED = frozenset({"stripe"})


@cache
def webhook_topic(source: str) -> TopicCard:
    """Return the card of a configured source's topic, e.g. "stripe" → `webhooks.stripe.v1` (GW-1)."""
    return TopicCard(
        name=f"webhooks.{source}.v1",
        purpose=f"Deliveries from {source}: bytes exactly as received, verified unless marked otherwise.",
        key="booking id, else the provider's object id, else the event id",
        partitions=6,
        retention_hours=30 * 24,
        producers=("webhook-gateway", "reconciler") if source in _SWEPT else ("webhook-gateway",),
        consumers=("booking", "audit") if source in _APPLIED else ("audit",),
        sources=(f"/webhooks/{source}",),
        type_prefixes=(f"{source}.",),
        personal_data="whatever the sender writes: names, addresses, telephone numbers, texts",
        verifications=(b"verified",) if source in ALWAYS_VERIFIED else (b"verified", b"unverified"),
    )


WEBHOOKS_STRIPE = webhook_topic("stripe")
WEBHOOKS_SMS = webhook_topic("sms")
WEBHOOKS_REJECTED = TopicCard(
    name="webhooks.rejected.v1",
    purpose="Refused deliveries: why, from where, digest and size; never the secret, never the body (GW-9).",
    key="source",
    partitions=3,
    retention_hours=30 * 24,
    producers=("webhook-gateway",),
    consumers=("audit",),
    sources=("webhook-gateway",),
    type_prefixes=("webhook.",),
    personal_data="addresses of senders",
)
BOOKINGS_EVENTS = TopicCard(
    name="bookings.events.v1",
    purpose="What happened to bookings, in order per booking; ce_sequence is the booking's version (BK-12).",
    key="booking id",
    partitions=6,
    retention_hours=90 * 24,
    producers=("booking",),
    consumers=("audit", "reconciler"),
    sources=("booking",),
    type_prefixes=("booking.",),
    personal_data="reasons typed by people; what a provider calls a booking",
)
RECONCILIATION_COMMANDS = TopicCard(
    name="reconciliation.commands.v1",
    purpose="Requests to run a reconciliation, from schedule, API and CLI alike (REC-1).",
    key="run id",
    partitions=3,
    retention_hours=7 * 24,
    producers=("reconciler",),
    consumers=("reconciler", "audit"),
    sources=("reconciler",),
    type_prefixes=("reconciliation.",),
    personal_data="names of callers",
)
RECONCILIATION_EVENTS = TopicCard(
    name="reconciliation.events.v1",
    purpose="Runs started, completed and failed; drift found; exceptions and their workflow (REC-7).",
    key="booking id, or run id",
    partitions=6,
    retention_hours=30 * 24,
    producers=("reconciler",),
    consumers=("audit",),
    sources=("reconciler",),
    type_prefixes=("reconciliation.", "webhook.missed"),
    personal_data="reasons typed by people; what a provider calls a booking",
)
DEAD_LETTERS = TopicCard(
    name="dead-letters.v1",
    purpose="Messages that a consumer set aside, what became of them, and what expired unread (ALL-1).",
    key="key of the original message",
    partitions=3,
    retention_hours=30 * 24,
    producers=("booking", "reconciler"),
    consumers=("audit",),
    sources=("booking", "reconciler"),
    type_prefixes=("dead-letter.", "messages."),
    personal_data="keys and event ids of other topics; reasons typed by people",
)
AUDIT_CHECKPOINTS = TopicCard(
    name="audit.checkpoints.v1",
    purpose="Signed checkpoints of the audit log, for whoever keeps watch (AU-4).",
    key="log origin",
    partitions=1,
    retention_hours=None,
    producers=("audit",),
    consumers=("any",),
    sources=("audit",),
    type_prefixes=("audit.",),
    personal_data="",
)

# Every topic of a deployment without further sources.
TOPICS: tuple[TopicCard, ...] = (
    WEBHOOKS_STRIPE,
    WEBHOOKS_SMS,
    WEBHOOKS_REJECTED,
    BOOKINGS_EVENTS,
    RECONCILIATION_COMMANDS,
    RECONCILIATION_EVENTS,
    DEAD_LETTERS,
    AUDIT_CHECKPOINTS,
)


def topics_of(service: str) -> tuple[TopicCard, ...]:
    """Return the topics that a service produces or consumes, by its console name."""
    return tuple(card for card in TOPICS if service in (*card.producers, *card.consumers))


_BY_NAME = {card.name: card for card in TOPICS}
_OF_SOURCE = re.compile(r"webhooks\.([a-z0-9-]+)\.v1")


def card_of(topic: str) -> TopicCard | None:
    """Return the card of a topic or of a source's topic; None for an unknown name."""
    card = _BY_NAME.get(topic)
    if card is None and (source := _OF_SOURCE.fullmatch(topic)):
        return webhook_topic(source[1])
    return card
