"""Findings of offers that an SMS cannot decide (BK-9)."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from contracts.ids import recorded_id
from reconciler.domain.explanations import explain_reported
from reconciler.domain.findings import Finding


def offer_ambiguous(
    *, booking_id: str, person_id: str, offer_ids: Sequence[str], sms_event_id: str | None, at: datetime
) -> Finding:
    """Return the finding of a yes that fits several offers. A person must ask which one is meant."""
    return Finding(
        type="offer_ambiguous",
        booking_id=recorded_id(booking_id),
        drift_class=None,
        severity="medium",
        title=f"A yes by SMS fits {len(offer_ids)} open offers to {recorded_id(person_id)}",
        fingerprint=offer_ambiguous_fingerprint(person_id),
        explanation=explain_reported(
            "offer_ambiguous",
            f"{recorded_id(person_id)} has {len(offer_ids)} open offers and said yes by SMS, which fits each"
            " of them; none was accepted.",
            {
                "person_id": recorded_id(person_id),
                "offer_ids": sorted(recorded_id(offer_id) for offer_id in offer_ids),
                "sms_event_id": None if sms_event_id is None else recorded_id(sms_event_id),
                "occurred_at": at.isoformat(),
            },
            charged=None,
            remark="no offer was accepted: ask the person which booking is meant",
        ),
    )


def offer_ambiguous_fingerprint(person_id: str) -> str:
    parts = ["offer_ambiguous", recorded_id(person_id)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
