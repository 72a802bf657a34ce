"""Topic, source and type belong together: what stands elsewhere is not what it claims to be."""

import pytest

from contracts.catalogue import MESSAGES
from contracts.metadata import VERIFICATION_HEADER, MessageMetadata
from contracts.provenance import misplacement
from contracts.topics import TOPICS

VERIFIED, UNVERIFIED = b"verified", b"unverified"


def problem(topic: str, source: str, event_type: str, mark: bytes | None = None) -> str:
    metadata = MessageMetadata(id="e", source=source, type=event_type)
    marks = () if mark is None else ((VERIFICATION_HEADER, mark),)
    return misplacement(topic, metadata, (*metadata.to_headers(), *marks))


@pytest.mark.parametrize(
    ("topic", "source", "event_type", "mark"),
    [
        ("webhooks.stripe.v1", "/webhooks/stripe", "stripe.invoice.paid", VERIFIED),
        ("webhooks.sms.v1", "/webhooks/sms", "sms.message.received", VERIFIED),
        ("webhooks.sms.v1", "/webhooks/sms", "sms.message.received", UNVERIFIED),
        ("webhooks.git-hub.v1", "/webhooks/git-hub", "git-hub.push", UNVERIFIED),
        ("webhooks.rejected.v1", "webhook-gateway", "webhook.validation.failed", None),
        ("bookings.events.v1", "booking", "booking.of-a-newer-version", None),
        ("dead-letters.v1", "reconciler", "dead-letter.set-aside", None),
        ("reconciliation.events.v1", "reconciler", "webhook.missed", None),
        ("a-topic-of-somebody-else", "anybody", "anything", None),
    ],
)
def test_what_its_sender_writes_is_in_its_place(
    topic: str, source: str, event_type: str, mark: bytes | None
) -> None:
    assert not problem(topic, source, event_type, mark)


@pytest.mark.parametrize(
    ("topic", "source", "event_type", "mark"),
    [
        ("webhooks.sms.v1", "/webhooks/stripe", "stripe.payment_intent.succeeded", VERIFIED),
        ("webhooks.sms.v1", "/webhooks/sms", "stripe.payment_intent.succeeded", VERIFIED),
        ("webhooks.sms.v1", "/webhooks/sms", "sms.message.received", None),
        ("webhooks.sms.v1", "booking", "booking.status-changed", VERIFIED),
        ("webhooks.stripe.v1", "/webhooks/stripe", "stripe.payment_intent.succeeded", None),
        ("webhooks.stripe.v1", "/webhooks/stripe", "stripe.payment_intent.succeeded", UNVERIFIED),
        ("webhooks.stripe.v1", "/webhooks/stripe", "stripe.payment_intent.succeeded", b"Verified"),
        ("webhooks.stripe.v1", "/webhooks/stripe/", "stripe.payment_intent.succeeded", VERIFIED),
        ("webhooks.stripe.v1", "/webhooks/Stripe", "stripe.payment_intent.succeeded", VERIFIED),
        ("webhooks.stripe.v1", "stripe", "stripe.payment_intent.succeeded", VERIFIED),
        ("webhooks.other.v1", "/webhooks/stripe", "stripe.payment_intent.succeeded", VERIFIED),
        ("webhooks.rejected.v1", "/webhooks/rejected", "rejected.anything", VERIFIED),
        ("reconciliation.events.v1", "booking", "booking.status-changed", None),
        ("reconciliation.events.v1", "reconciler", "booking.status-changed", None),
        ("reconciliation.events.v1", "reconciler", "reconciliation.run-requested", None),
        ("dead-letters.v1", "audit", "messages.lost", None),
        ("dead-letters.v1", "booking", "booking.status-changed", None),
        ("bookings.events.v1", "Booking", "booking.status-changed", None),
        ("bookings.events.v1", "reconciler", "booking.status-changed", None),
    ],
)
def test_what_another_could_have_written_is_out_of_place(
    topic: str, source: str, event_type: str, mark: bytes | None
) -> None:
    assert problem(topic, source, event_type, mark)


def test_every_message_of_the_catalogue_fits_its_card() -> None:
    for card in MESSAGES:
        assert card.event_type.startswith(card.topic.type_prefixes), card.event_type
        assert set(card.topic.sources) <= set(card.topic.producers), card.topic.name


def test_reason_says_no_word_of_the_record() -> None:
    for card in TOPICS:
        assert "secret" not in problem(card.name, "secret", "secret", b"secret")
