"""The catalogue of messages: event type → model and topic.

JSON Schemas, examples and the AsyncAPI document are generated and checked from this list.
Webhook deliveries are not in the list: their value is the provider's own bytes.
"""

from dataclasses import dataclass

from contracts import bookings, dead_letters, reconciliation, sweeps, topics, webhooks
from contracts.topics import TopicCard
from contracts.wire import WireModel


@dataclass(frozen=True, slots=True)
class MessageCard:
    """One kind of message: its event type (`ce_type`), its payload and its topic."""

    event_type: str
    model: type[WireModel]
    topic: TopicCard


# Every message that Plumbline itself writes.
MESSAGES: tuple[MessageCard, ...] = (
    MessageCard("webhook.validation.failed", webhooks.WebhookValidationFailed, topics.WEBHOOKS_REJECTED),
    MessageCard("webhook.refusals-suppressed", webhooks.WebhookRefusalsSuppressed, topics.WEBHOOKS_REJECTED),
    MessageCard("booking.created", bookings.BookingCreated, topics.BOOKINGS_EVENTS),
    MessageCard("booking.status-changed", bookings.BookingStatusChanged, topics.BOOKINGS_EVENTS),
    MessageCard("booking.changed", bookings.BookingChanged, topics.BOOKINGS_EVENTS),
    MessageCard("booking.repriced", bookings.BookingRepriced, topics.BOOKINGS_EVENTS),
    MessageCard("booking.payment-recorded", bookings.BookingPaymentRecorded, topics.BOOKINGS_EVENTS),
    MessageCard("booking.payment-failed", bookings.BookingPaymentFailed, topics.BOOKINGS_EVENTS),
    MessageCard("booking.payment-anomaly", bookings.BookingPaymentAnomaly, topics.BOOKINGS_EVENTS),
    MessageCard(
        "booking.payment-anomaly-resolved", bookings.BookingPaymentAnomalyResolved, topics.BOOKINGS_EVENTS
    ),
    MessageCard("booking.identity-conflict", bookings.BookingIdentityConflict, topics.BOOKINGS_EVENTS),
    MessageCard("booking.offer-made", bookings.BookingOfferMade, topics.BOOKINGS_EVENTS),
    MessageCard("booking.offer-accepted", bookings.BookingOfferAccepted, topics.BOOKINGS_EVENTS),
    MessageCard("booking.offer-closed", bookings.BookingOfferClosed, topics.BOOKINGS_EVENTS),
    MessageCard("booking.offer-too-late", bookings.BookingOfferTooLate, topics.BOOKINGS_EVENTS),
    MessageCard("booking.offer-ambiguous", bookings.BookingOfferAmbiguous, topics.BOOKINGS_EVENTS),
    MessageCard("reconciliation.run-requested", reconciliation.RunRequested, topics.RECONCILIATION_COMMANDS),
    MessageCard("reconciliation.run-started", reconciliation.RunStarted, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.run-completed", reconciliation.RunCompleted, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.run-failed", reconciliation.RunFailed, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.run-cancelled", reconciliation.RunCancelled, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.slots-skipped", reconciliation.SlotsSkipped, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.drift-detected", reconciliation.DriftDetected, topics.RECONCILIATION_EVENTS),
    MessageCard(
        "reconciliation.booking-errored", reconciliation.BookingErrored, topics.RECONCILIATION_EVENTS
    ),
    MessageCard(
        "reconciliation.exception-opened", reconciliation.ExceptionOpened, topics.RECONCILIATION_EVENTS
    ),
    MessageCard(
        "reconciliation.exception-resolved", reconciliation.ExceptionResolved, topics.RECONCILIATION_EVENTS
    ),
    MessageCard(
        "reconciliation.exception-changed", reconciliation.ExceptionChanged, topics.RECONCILIATION_EVENTS
    ),
    MessageCard(
        "reconciliation.exception-overdue", reconciliation.ExceptionOverdue, topics.RECONCILIATION_EVENTS
    ),
    MessageCard("webhook.missed", reconciliation.WebhookMissed, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.sweep-requested", sweeps.SweepRequested, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.sweep-completed", sweeps.SweepCompleted, topics.RECONCILIATION_EVENTS),
    MessageCard("reconciliation.sweep-failed", sweeps.SweepFailed, topics.RECONCILIATION_EVENTS),
    MessageCard(
        "reconciliation.operation-finished", reconciliation.OperationFinished, topics.RECONCILIATION_EVENTS
    ),
    MessageCard("dead-letter.set-aside", dead_letters.MessageSetAside, topics.DEAD_LETTERS),
    MessageCard("dead-letter.replayed", dead_letters.MessageReplayed, topics.DEAD_LETTERS),
    MessageCard("dead-letter.discarded", dead_letters.MessageDiscarded, topics.DEAD_LETTERS),
    MessageCard("messages.lost", dead_letters.MessagesLost, topics.DEAD_LETTERS),
)

# A model has exactly one event type. Senders find its type and topic here.
CARD_BY_MODEL: dict[type[WireModel], MessageCard] = {card.model: card for card in MESSAGES}
