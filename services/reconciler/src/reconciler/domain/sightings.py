"""What enters the exception queue: something seen, with an identity and a difference (REC-8)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contracts.currencies import NO_CURRENCY
from contracts.money import Money
from contracts.text import sanitize_for_postgres
from reconciler.domain.cancelled import HeldMoney
from reconciler.domain.classify import DriftClass, Severity, severity_of
from reconciler.domain.findings import FINDING_TYPES, Finding, FindingType

RunType = FindingType | Literal["cancelled_but_paid", "not_evaluable"]
ExceptionType = RunType | Literal["payment_anomaly", "identity_conflict"]

RUN_TYPES: tuple[RunType, ...] = (*FINDING_TYPES, "cancelled_but_paid", "not_evaluable")
"""What a run looks for, and therefore what it resolves where it is not found any more (REC-8)."""

EXCEPTION_TYPES: tuple[ExceptionType, ...] = (*RUN_TYPES, "payment_anomaly", "identity_conflict")
"""Found by runs, or reported by the booking service."""

TITLE_CHARACTERS_MAX = 200

EXCEPTION_STATUSES = ("open", "acknowledged", "resolved")


@dataclass(frozen=True, slots=True)
class Sighting:
    """Seen now; the queue decides whether it is new, seen before, or changed.

    Attributes:
        fingerprint: digest of what makes it the same problem as one seen before. Amounts are no part of
            it, so that a changed difference is a revision and not a second exception.
        explanation: JSON for a person: `lines`, `totals` (A, B, C in minor units) and what else there is.
    """

    type: ExceptionType
    booking_id: str | None
    drift_class: DriftClass | None
    severity: Severity
    title: str
    fingerprint: str
    explanation: Mapping[str, Any]

    @property
    def difference(self) -> str:
        """Digest of all that is shown; another one makes a new revision."""
        return _digest([self.severity, self.drift_class, self.title, self.explanation])


def sighting_of_finding(finding: Finding) -> Sighting:
    """A run sees at most one problem of a type per booking, so type and booking are the identity."""
    return Sighting(
        type=finding.type,
        booking_id=finding.booking_id,
        drift_class=finding.drift_class,
        severity=finding.severity,
        title=finding.title,
        fingerprint=_digest([finding.type, finding.booking_id]),
        explanation={
            "currency": finding.currency,
            "totals": _totals(finding.snapshot, finding.recomputed, finding.charged),
            "drift": finding.drift,
            "charge_difference": finding.charge_difference,
            "lines": [
                {
                    "code": line.code,
                    "snapshot": line.snapshot_amount,
                    "recomputed": line.recomputed_amount,
                    "difference": line.difference,
                }
                for line in finding.lines
            ],
            "remarks": list(finding.remarks),
        },
    )


def cancelled_but_paid(money: HeldMoney) -> Sighting:
    """A cancelled booking that holds money; a later refund of a part is the same problem."""
    return Sighting(
        type="cancelled_but_paid",
        booking_id=money.booking_id,
        drift_class=None,
        severity=severity_of(money.held, money.currency),
        title=sanitize_for_postgres(money.title),
        fingerprint=_digest(["cancelled_but_paid", money.booking_id]),
        explanation={
            "currency": sanitize_for_postgres(money.currency),
            "totals": _totals(None, None, money.captured - money.refunded),
            "lines": [],
            "held": money.held,
            "captured": money.captured,
            "refunded": money.refunded,
            "cancelled_at": money.cancelled_at.isoformat(),
            "remarks": [sanitize_for_postgres(remark) for remark in money.remarks],
        },
    )


def not_evaluable(booking_id: str, error: str) -> Sighting:
    """A booking that a run could not evaluate: what is wrong with it is unknown, so severity is high."""
    return Sighting(
        type="not_evaluable",
        booking_id=booking_id,
        drift_class=None,
        severity="high",
        title=f"Cannot be evaluated: {error}"[:TITLE_CHARACTERS_MAX],
        fingerprint=_digest(["not_evaluable", booking_id]),
        explanation={"totals": _totals(None, None, None), "lines": [], "remarks": [error]},
    )


def payment_anomaly(
    *, booking_id: str | None, kind: str, provider: str, payment_id: str, captured: Money, explanation: str
) -> Sighting:
    """Money that fits no booking as it should (BK-8); the provider's payment is the identity."""
    is_told = captured.currency != NO_CURRENCY
    money = str(captured) if is_told else "An unknown amount"
    return Sighting(
        type="payment_anomaly",
        booking_id=None if booking_id is None else sanitize_for_postgres(booking_id),
        drift_class=None,
        severity=severity_of(captured.amount, captured.currency),
        title=sanitize_for_postgres(f"{money} from {provider}: {kind.replace('_', ' ')}"),
        fingerprint=_digest(["payment_anomaly", kind, provider, payment_id]),
        explanation={
            "currency": sanitize_for_postgres(captured.currency),
            "totals": _totals(None, None, captured.amount if is_told else None),
            "lines": [],
            "kind": kind,
            "provider": sanitize_for_postgres(provider),
            "provider_payment_id": sanitize_for_postgres(payment_id),
            "remarks": [sanitize_for_postgres(explanation)],
        },
    )


def identity_conflict(*, source: str, event_id: str, first_sha256: str, second_sha256: str) -> Sighting:
    """An event id that came with two bodies (BK-10): nobody knows what is at stake, so severity is high."""
    return Sighting(
        type="identity_conflict",
        booking_id=None,
        drift_class=None,
        severity="high",
        title=sanitize_for_postgres(f"Event {event_id} of {source} came again with another body"),
        fingerprint=_digest(["identity_conflict", source, event_id, second_sha256]),
        explanation={
            "totals": _totals(None, None, None),
            "lines": [],
            "source": sanitize_for_postgres(source),
            "event_id": sanitize_for_postgres(event_id),
            "first_body_sha256": sanitize_for_postgres(first_sha256),
            "second_body_sha256": sanitize_for_postgres(second_sha256),
            "remarks": ["nothing of the second body was applied"],
        },
    )


def _totals(snapshot: int | None, recomputed: int | None, charged: int | None) -> dict[str, int | None]:
    return {"snapshot": snapshot, "recomputed": recomputed, "charged": charged}


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
