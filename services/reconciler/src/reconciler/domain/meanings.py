"""What each kind of finding means, and the step that usually follows: one entry per type, class and obstacle.

A suggestion is for a person. No step is ever taken by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reconciler.domain.causes import Waiting

Step = Literal[
    "wait",
    "check_engine",
    "settle_difference",
    "restore_snapshot",
    "compare_by_hand",
    "collect_payment",
    "refund_duplicate",
    "convert_payment",
    "refund_payment",
    "restore_row",
    "deploy_release",
    "report_fault",
]
"""Names of steps, for programs; further ones may be added."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a kind of finding in one sentence, and a suggested step with its text."""

    meaning: str
    step: Step
    text: str


MEANINGS: Mapping[str, Meaning] = {
    # Classes of pricing_drift.
    "engine_drift": Meaning(
        "Stored and charged price agree, but the snapshot's own rate card and engine now compute"
        " another one.",
        "check_engine",
        "Find out which release or which input of the snapshot changed the result. Keep the agreed"
        " price, or reprice the booking with a reason.",
    ),
    "charge_mismatch": Meaning(
        "The stored price is what was computed, but another amount was charged.",
        "settle_difference",
        "Collect what is missing or refund what is too much. If the amount was agreed, reprice the"
        " booking with a reason.",
    ),
    "snapshot_corrupt": Meaning(
        "The stored price was changed after it was computed; the charge, if there is one, follows the"
        " computed price.",
        "restore_snapshot",
        "Restore the stored price, for example from the booking's history of revisions, and find out"
        " who changed it.",
    ),
    "all_differ": Meaning(
        "The stored, the computed and the charged price are all different: at least two things went wrong.",
        "compare_by_hand",
        "Look at the booking's history of revisions and at its payments. Restore the price first,"
        " then settle the charge.",
    ),
    # Other types of a run.
    "not_charged": Meaning(
        "The booking is confirmed, and nothing was charged within the grace time.",
        "collect_payment",
        "Send a payment link, enter money that came in another way, or reprice the booking if it is free.",
    ),
    "duplicate_charge": Meaning(
        "Several payments make up the price twice or more.",
        "refund_duplicate",
        "Refund the payment that was made once too often.",
    ),
    "currency_mismatch": Meaning(
        "Amounts that must be compared are in different currencies.",
        "convert_payment",
        "Refund the payment in the other currency and collect the price anew, or correct the currency"
        " that was stored.",
    ),
    "cancelled_but_paid": Meaning(
        "The booking is cancelled and still holds money.",
        "refund_payment",
        "Refund the payment, or resolve as accepted if the money is a cancellation fee.",
    ),
    # Obstacles of not_evaluable.
    "snapshot_missing": Meaning(
        "The booking was priced, and its snapshot is gone.",
        "restore_row",
        "Restore the snapshot from the booking's history of revisions, and find out who removed it.",
    ),
    "snapshot_unreadable": Meaning(
        "The snapshot is not one that the pricing engine ever wrote.",
        "restore_row",
        "Restore the snapshot from the booking's history of revisions, and find out who changed it.",
    ),
    "version_unknown": Meaning(
        "The snapshot names a rate card, engine or service that this release does not have.",
        "deploy_release",
        "Deploy a release that has it. If there never was one, restore the snapshot from the"
        " booking's history of revisions.",
    ),
    "status_unknown": Meaning(
        "The booking has a status that does not exist.",
        "restore_row",
        "Restore the status with which the booking's history ends, and find out who changed it.",
    ),
    "history_disagrees": Meaning(
        "The booking's status is not the one with which its history ends.",
        "restore_row",
        "Restore the status with which the booking's history ends, and find out who changed it.",
    ),
    "sums_disagree": Meaning(
        "The sums in the booking's row are not the sums of its payments.",
        "restore_row",
        "Compare the payments with the provider's, correct the wrong one of the two, and find out who"
        " changed it.",
    ),
    "payment_status_disagrees": Meaning(
        "The price was charged exactly, and the booking's row says something else.",
        "restore_row",
        "Restore the payment status that follows from the payments, and find out who changed it.",
    ),
    "payments_impossible": Meaning(
        "A payment has amounts that cannot be.",
        "restore_row",
        "Compare the payment with the provider's and restore its row.",
    ),
    "time_impossible": Meaning(
        "A time in the booking's row cannot be.",
        "restore_row",
        "Restore the time from the booking's history.",
    ),
    "row_unreadable": Meaning(
        "A value in the booking's row cannot be read.",
        "restore_row",
        "Restore the value that the message names.",
    ),
    "unexpected_error": Meaning(
        "The evaluation failed in a way that nobody thought of.",
        "report_fault",
        "Report the error with the booking's id: it is a fault of the reconciler.",
    ),
    # Types that other services report.
    "payment_anomaly": Meaning(
        "Money arrived, or went, that a person has to look at.",
        "settle_difference",
        "Follow deploy/runbooks/payment-anomalies.md for this kind.",
    ),
    "identity_conflict": Meaning(
        "One event id came with two contents; only the first was applied.",
        "compare_by_hand",
        "Compare both bodies with what the sender shows. If the second one is right, have it sent"
        " anew under its own id.",
    ),
    "delivery_missed": Meaning(
        "The provider has an event that never reached us.",
        "wait",
        "The event was fetched and is applied like any other; the exception closes itself then. Find"
        " out why it was not delivered.",
    ),
    "offer_ambiguous": Meaning(
        "A person with several open offers accepted, and it is not known which.",
        "compare_by_hand",
        "Ask the person which booking is meant, and confirm that one.",
    ),
}

WAITING: Mapping[Waiting, str] = {
    "first_charge": "Nothing to do yet: the time for the first charge has not passed.",
    "refund": "Nothing to do yet: a refund is on its way or has time until then. A later run looks again.",
    "money": "Nothing to do yet: a payment is not settled. A later run looks again.",
}


def suggestion(kind: str, waiting: Waiting | None) -> dict[str, str]:
    """Return step and text for a kind of finding; of one that waits, what it waits for."""
    if waiting is not None:
        return {"step": "wait", "text": WAITING[waiting]}
    meaning = MEANINGS[kind]
    return {"step": meaning.step, "text": meaning.text}
