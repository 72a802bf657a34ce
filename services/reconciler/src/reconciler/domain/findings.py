"""Findings: problems of bookings and payments before they enter the exception queue (REC-8)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contracts.currencies import NO_CURRENCY
from contracts.money import Money
from contracts.text import sanitize_for_postgres
from reconciler.domain.cancelled import HeldMoney
from reconciler.domain.causes import NO_CAUSE, Cause, Waiting
from reconciler.domain.classify import DriftClass, Severity, severity_of
from reconciler.domain.explanations import explain_held, explain_obstacle, explain_price, explain_reported
from reconciler.domain.obstacles import Errored
from reconciler.domain.price_findings import PRICE_FINDING_TYPES, PriceFinding, PriceFindingType

RunType = PriceFindingType | Literal["cancelled_but_paid", "not_evaluable"]
ReportedType = Literal["payment_anomaly", "identity_conflict", "delivery_missed", "offer_ambiguous"]
ExceptionType = RunType | ReportedType

RUN_TYPES: tuple[RunType, ...] = (*PRICE_FINDING_TYPES, "cancelled_but_paid", "not_evaluable")
"""Types that a run looks for. A run resolves exceptions of these types that it no longer finds (REC-8)."""

EXCEPTION_TYPES: tuple[ExceptionType, ...] = (
    *RUN_TYPES,
    "payment_anomaly",
    "identity_conflict",
    "delivery_missed",
    "offer_ambiguous",
)
"""Types of runs, and types that the booking service and the Stripe sweep report."""

TITLE_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem found now. The queue decides whether it is new, known, or changed.

    Attributes:
        fingerprint: digest of what identifies the problem. It holds no amounts: a changed amount is a
            revision of the exception, not a second exception.
        explanation: JSON for a person: `lines`, `totals` (A, B, C in minor units) and details of the type.
        drift: of a pricing drift, the amounts that `drift-detected` publishes; None for other types, and
            while the finding waits.
        amount: the difference in minor units of `currency`, signed: recomputed - stored, or charged -
            recomputed where the price is right, or the money at stake; None if unknown.
        waiting: None if a person has to act.
    """

    type: ExceptionType
    booking_id: str | None
    drift_class: DriftClass | None
    severity: Severity
    title: str
    fingerprint: str
    explanation: Mapping[str, Any]
    drift: PriceFinding | None = None
    currency: str | None = None
    amount: int | None = None
    cause: Cause = NO_CAUSE
    waiting: Waiting | None = None

    @property
    def size(self) -> int | None:
        """Size of the difference in minor units, without its sign; None if unknown."""
        return None if self.amount is None else abs(self.amount)

    @property
    def difference(self) -> str:
        """Digest of everything that a person sees; another digest makes a new revision."""
        return _digest([self.severity, self.drift_class, self.title, self.explanation])


def finding_of_price(price: PriceFinding) -> Finding:
    """Return the finding of a price. A run finds at most one problem of a type per booking."""
    return Finding(
        type=price.type,
        booking_id=price.booking_id,
        drift_class=price.drift_class,
        severity=price.severity,
        title=price.title,
        fingerprint=_digest([price.type, price.booking_id]),
        explanation=explain_price(price),
        drift=price if price.type == "pricing_drift" and price.waiting is None else None,
        currency=price.currency,
        amount=price.amount,
        cause=price.cause,
        waiting=price.waiting,
    )


def cancelled_but_paid(money: HeldMoney) -> Finding:
    """Return the finding of a cancelled booking that holds money. A partial refund is the same problem."""
    return Finding(
        type="cancelled_but_paid",
        booking_id=money.booking_id,
        drift_class=None,
        severity=severity_of(money.held, money.currency),
        currency=sanitize_for_postgres(money.currency),
        amount=money.held,
        title=sanitize_for_postgres(money.title),
        fingerprint=_digest(["cancelled_but_paid", money.booking_id]),
        explanation=explain_held(money),
        waiting=money.waiting,
    )


def not_evaluable(errored: Errored) -> Finding:
    """Return the finding of a booking that a run could not evaluate. What is at stake is unknown: high."""
    return Finding(
        type="not_evaluable",
        booking_id=errored.booking_id,
        drift_class=None,
        severity="high",
        title=f"Cannot be evaluated: {errored.error}"[:TITLE_CHARACTERS_MAX],
        fingerprint=_digest(["not_evaluable", errored.booking_id]),
        explanation=explain_obstacle(errored.error, errored.obstacle),
        currency=errored.currency,
        amount=errored.amount,
        cause=errored.cause,
    )


def payment_anomaly_fingerprint(kind: str, provider: str, payment_id: str, subject: str | None) -> str:
    """Return the fingerprint of a payment anomaly; `subject` is the refund or dispute that it is about."""
    about = [subject] if subject is not None and subject != payment_id else []
    return _digest(["payment_anomaly", kind, provider, payment_id, *about])


def payment_anomaly(
    *,
    booking_id: str | None,
    kind: str,
    provider: str,
    payment_id: str,
    subject: str | None = None,
    captured: Money,
    explanation: str,
) -> Finding:
    """Return the finding of money that needs a person (BK-8), identified by payment, kind and subject."""
    is_known = captured.currency != NO_CURRENCY
    money = str(captured) if is_known else "An unknown amount"
    return Finding(
        type="payment_anomaly",
        booking_id=None if booking_id is None else sanitize_for_postgres(booking_id),
        drift_class=None,
        severity=severity_of(captured.amount, captured.currency),
        currency=sanitize_for_postgres(captured.currency) if is_known else None,
        amount=captured.amount if is_known else None,
        title=sanitize_for_postgres(f"{money} from {provider}: {kind.replace('_', ' ')}"),
        fingerprint=payment_anomaly_fingerprint(kind, provider, payment_id, subject),
        explanation=explain_reported(
            "payment_anomaly",
            sanitize_for_postgres(f"{money} from {provider}: {explanation}."),
            {
                "currency": sanitize_for_postgres(captured.currency),
                "kind": kind,
                "provider": sanitize_for_postgres(provider),
                "provider_payment_id": sanitize_for_postgres(payment_id),
            },
            charged=captured.amount if is_known else None,
            remark=sanitize_for_postgres(explanation),
        ),
    )


def identity_conflict(*, source: str, event_id: str, first_sha256: str, second_sha256: str) -> Finding:
    """Return the finding of an event id with two bodies (BK-10). What is at stake is unknown: high."""
    return Finding(
        type="identity_conflict",
        booking_id=None,
        drift_class=None,
        severity="high",
        title=sanitize_for_postgres(f"Event {event_id} of {source} came again with another body"),
        fingerprint=_digest(["identity_conflict", source, event_id, second_sha256]),
        explanation=explain_reported(
            "identity_conflict",
            sanitize_for_postgres(
                f"Event {event_id} of {source} came twice with different contents; the first one was applied."
            ),
            {
                "source": sanitize_for_postgres(source),
                "event_id": sanitize_for_postgres(event_id),
                "first_body_sha256": sanitize_for_postgres(first_sha256),
                "second_body_sha256": sanitize_for_postgres(second_sha256),
            },
            charged=None,
            remark="nothing of the second body was applied",
        ),
    )


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
