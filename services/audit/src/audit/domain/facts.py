"""What an entry says of an event, by its type. The rules are data; a test holds them against the contracts.

Entries are sealed for ever, so no personal data may enter them (AU-6): only members listed here are copied,
ids and codes by their form. Text that has no such form is replaced by its digest; it stands in the payload.
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
    """How one type of event is told.

    Attributes:
        status: what became of the thing that the event tells of.
        actor, error: members of the payload that hold them.
        metadata: members that are copied, where they are scalars or money.
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
    "booking.identity-conflict": Rule("failed", metadata=("source", "event_id")),
    "reconciliation.run-requested": Rule(
        "pending", actor="requested_by", metadata=("run_id", "trigger", "slot")
    ),
    "reconciliation.run-started": Rule("pending", metadata=("run_id", "trigger", "slot")),
    "reconciliation.run-completed": Rule(
        "success", metadata=("run_id", "scanned", "clean", "drifted", "skipped", "errored")
    ),
    "reconciliation.run-failed": Rule("failed", error="error", metadata=("run_id",)),
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
    """What an entry says beyond who, when and where."""

    status: Status
    booking_id: str | None = None
    actor: str | None = None
    error: str | None = None
    metadata: dict[str, object] = field(default_factory=dict[str, object])


def facts_of(event: Event) -> Facts:
    """What is to be said of an event. A type that nobody knows is recorded as a success, unread."""
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
    """A delivery. Its subject is a booking's id, or else the provider's object, which is no UUID (GW-10)."""
    subject = event.subject
    told = {"verification": event.verification, "not_applied": event.not_applied}
    return Facts(
        "skipped" if event.not_applied else "success",
        booking_id=booking_id_of(subject) if subject else None,
        metadata={name: value for name, value in told.items() if value},
    )


def error_code(text: str) -> str:
    """Return what an entry says of an error that a payload tells: its code or class, never its text."""
    code = text.partition(":")[0]
    return code if has_id_form(code) else identifier(text)


def error_text(text: str) -> str:
    """An error as an entry holds it: short."""
    return sanitize_for_postgres(text)[:ERROR_CHARACTERS_MAX]


def _text(payload: Mapping[str, object], name: str | None, fit: Callable[[str], str]) -> str | None:
    value = payload.get(name) if name else None
    return fit(value) if isinstance(value, str) and value else None


def _plain(value: object) -> object:
    """Return a scalar or an amount of money, fit for JSON in a table; None for anything else."""
    if isinstance(value, str):
        return identifier(value)
    if isinstance(value, int):
        return value if abs(value) <= _BIGINT_MAX else None
    if isinstance(value, dict):
        money = cast("dict[str, object]", value)
        amount, currency = _plain(money.get("amount")), _plain(money.get("currency"))
        return {"amount": amount, "currency": currency} if amount is not None and currency else None
    return None
