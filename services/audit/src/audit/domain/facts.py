"""Facts of an event that its entry holds, by event type. A test compares the rules with the contracts.

Entries are kept for ever, so they hold no personal data (AU-6): only members listed here are copied, and only
texts with the form of an id or code. Another text is replaced by its digest; the payload has the text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from audit.domain.events import BOOKING, Event, PayloadError, read_payload
from audit.domain.identifiers import booking_identifier, identifier
from contracts.ids import booking_id_of, has_id_form
from contracts.text import sanitize_for_postgres

Status = Literal["success", "failed", "skipped", "pending"]

ERROR_CHARACTERS_MAX = 500
_BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule for the entry of one event type.

    Attributes:
        status: result that the event reports.
        actor, error: names of the payload's members with actor and error.
        metadata: names of the members to copy; only scalars and money are copied.
    """

    status: Status
    actor: str | None = None
    error: str | None = None
    metadata: tuple[str, ...] = ()


RULES: dict[str, Rule] = {
    "webhook.validation.failed": Rule("failed", error="reason", metadata=("source", "body_bytes")),
    "webhook.refusals-suppressed": Rule(
        "failed", metadata=("source", "suppressed", "window_started_at", "window_seconds")
    ),
    "booking.created": Rule(
        "success",
        actor="changed_by",
        metadata=("version", "status", "service", "starts_at", "ends_at", "total"),
    ),
    "booking.status-changed": Rule(
        "success", actor="changed_by", metadata=("version", "from_status", "to_status")
    ),
    "booking.payment-recorded": Rule(
        "success",
        actor="provider",
        metadata=("provider", "provider_payment_id", "captured", "payment_status", "paid_total"),
    ),
    "booking.payment-anomaly": Rule(
        "failed", error="kind", metadata=("provider", "provider_payment_id", "captured")
    ),
    "booking.changed": Rule("success", actor="changed_by"),
    "booking.repriced": Rule(
        "success", actor="changed_by", metadata=("before", "after", "cause", "payment_status")
    ),
    "booking.payment-failed": Rule(
        "failed",
        actor="provider",
        error="reason",
        metadata=("provider", "provider_payment_id", "state", "payment_status"),
    ),
    "booking.payment-anomaly-resolved": Rule(
        "success", metadata=("kind", "provider", "provider_payment_id", "subject")
    ),
    "booking.identity-conflict": Rule("failed", metadata=("source", "event_id")),
    "booking.offer-made": Rule(
        "success", actor="made_by", metadata=("offer_id", "person_id", "expires_at")
    ),
    "booking.offer-accepted": Rule("success", metadata=("offer_id", "person_id", "sms_event_id")),
    "booking.offer-closed": Rule(
        "success", actor="closed_by", metadata=("offer_id", "person_id", "closed_reason")
    ),
    "booking.offer-too-late": Rule(
        "failed", error="closed_reason", metadata=("offer_id", "person_id", "sms_event_id")
    ),
    "booking.offer-ambiguous": Rule("failed", metadata=("person_id", "sms_event_id")),
    "reconciliation.run-requested": Rule(
        "pending", actor="requested_by", metadata=("run_id", "trigger", "slot", "scope", "dry_run")
    ),
    "reconciliation.run-started": Rule(
        "pending", metadata=("run_id", "trigger", "slot", "scope", "dry_run")
    ),
    "reconciliation.run-completed": Rule(
        "success",
        metadata=("run_id", "scope", "dry_run", "scanned", "clean", "drifted", "skipped", "errored"),
    ),
    "reconciliation.run-failed": Rule("failed", error="error", metadata=("run_id",)),
    "reconciliation.run-cancelled": Rule(
        "skipped",
        actor="cancelled_by",
        metadata=("run_id", "scanned", "clean", "drifted", "skipped", "errored"),
    ),
    "reconciliation.slots-skipped": Rule(
        "skipped", metadata=("first_slot", "last_slot", "slots", "made_up_by")
    ),
    "reconciliation.drift-detected": Rule(
        "failed",
        error="drift_class",
        metadata=(
            "run_id", "severity", "drift", "charge_difference", "snapshot", "recomputed", "charged",
        ),
    ),
    "reconciliation.booking-errored": Rule("failed", error="error", metadata=("run_id",)),
    "reconciliation.exception-opened": Rule(
        "pending", metadata=("exception_id", "exception_type", "severity")
    ),
    "reconciliation.exception-resolved": Rule(
        "success", actor="actor", metadata=("exception_id", "exception_type", "resolution")
    ),
    "reconciliation.exception-changed": Rule(
        "success",
        actor="actor",
        metadata=("exception_id", "exception_type", "step", "status", "severity", "revision", "version"),
    ),
    "reconciliation.exception-overdue": Rule(
        "pending", metadata=("exception_id", "exception_type", "clock", "severity", "status", "due_at")
    ),
    "webhook.missed": Rule(
        "failed", metadata=("provider", "event_id", "event_type", "occurred_at", "sweep_id")
    ),
    "reconciliation.sweep-requested": Rule(
        "pending", actor="requested_by", metadata=("sweep_id", "trigger", "slot", "since", "dry_run")
    ),
    "reconciliation.sweep-completed": Rule(
        "success",
        metadata=(
            "sweep_id", "dry_run", "seen", "known", "pending", "missed", "compared", "mismatches", "requests",
        ),
    ),
    "reconciliation.sweep-failed": Rule(
        "failed", error="error", metadata=("sweep_id", "dry_run", "requests")
    ),
    "reconciliation.operation-finished": Rule(
        "success",
        actor="actor",
        metadata=(
            "operation_id", "action", "status", "selected", "stepped", "unchanged", "refused", "reverted",
            "not_reverted",
        ),
    ),
    "dead-letter.set-aside": Rule(
        "failed",
        error="reason",
        metadata=(
            "dead_letter_id", "consumer", "topic", "partition", "offset",
            "event_id", "event_type", "attempts",
        ),
    ),
    "dead-letter.replayed": Rule(
        "success",
        actor="actor",
        metadata=(
            "dead_letter_id", "consumer", "topic", "partition", "offset",
            "event_id", "event_type", "attempts",
        ),
    ),
    "messages.lost": Rule(
        "failed",
        error="error",
        metadata=("consumer", "group", "topic", "partition", "first_offset", "last_offset"),
    ),
    "dead-letter.discarded": Rule(
        "skipped",
        actor="actor",
        metadata=(
            "dead_letter_id", "consumer", "topic", "partition", "offset",
            "event_id", "event_type", "attempts",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of an event besides source, id and time."""

    status: Status
    booking_id: str | None = None
    actor: str | None = None
    error: str | None = None
    metadata: dict[str, object] = field(default_factory=dict[str, object])


def facts_of(event: Event) -> Facts:
    """Return the facts of an event. An unknown type is recorded as success, without reading its payload."""
    if event.is_webhook:
        return _facts_of_webhook(event)
    rule = RULES.get(event.type)
    if rule is None:
        subject = event.subject if event.source == BOOKING else None
        return Facts("success", booking_id=booking_identifier(subject) if subject else None)
    try:
        payload = read_payload(event.body)
    except PayloadError as error:
        return Facts("failed", error=str(error))
    return Facts(
        rule.status,
        booking_id=_text(payload, "booking_id", booking_identifier),
        actor=_text(payload, rule.actor, identifier),
        error=_text(payload, rule.error, error_code),
        metadata={name: value for name in rule.metadata if (value := _plain(payload.get(name))) is not None},
    )


def _facts_of_webhook(event: Event) -> Facts:
    # The subject of a delivery is a booking's id, or the provider's object, which is no UUID (GW-10).
    subject = event.subject
    metadata = {
        "verification": event.verification,
        "not_applied": event.not_applied,
        "origin": event.found_by,
    }
    return Facts(
        "skipped" if event.not_applied else "success",
        booking_id=booking_id_of(subject) if subject else None,
        metadata={name: value for name, value in metadata.items() if value},
    )


def error_code(text: str) -> str:
    """Return the error of an entry: code or class of the payload's error, never its text."""
    code = text.partition(":")[0]
    return code if has_id_form(code) else identifier(text)


def error_text(text: str) -> str:
    """Return an error text, shortened for an entry."""
    return sanitize_for_postgres(text)[:ERROR_CHARACTERS_MAX]


def _text(payload: Mapping[str, object], name: str | None, fit: Callable[[str], str]) -> str | None:
    value = payload.get(name) if name else None
    return fit(value) if isinstance(value, str) and value else None


def _plain(value: object) -> object:
    """Return a scalar or money in a form that a JSON column takes; None for other values."""
    if isinstance(value, str):
        return identifier(value)
    if isinstance(value, int):
        return value if abs(value) <= _BIGINT_MAX else None
    if isinstance(value, dict):
        money = cast("dict[str, object]", value)
        amount, currency = _plain(money.get("amount")), _plain(money.get("currency"))
        return {"amount": amount, "currency": currency} if amount is not None and currency else None
    return None
