"""Anomalies are opened once, explained, and resolved when their reason is gone (BK-8)."""

from dataclasses import replace

import pytest

from booking.domain.anomalies import AnomalyKey, OpenAnomaly, anomalies_of, report_anomalies
from booking.domain.booking import Booking
from booking.domain.payments import (
    Anomaly,
    Exclusion,
    Payment,
    PaymentAnomaly,
    PaymentAnomalyResolved,
    PaymentState,
)
from booking.domain.settlement import RecordedPayment
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money

ID = BookingId("0198c5a0-0000-7000-8000-000000000001")
BOOKING = Booking(id=ID, status=Status.PENDING, version=4, transitions=1, total=Money(5000, "USD"))
PAYMENT = Payment(
    provider="stripe",
    payment_id="pi_1",
    state=PaymentState.SUCCEEDED,
    booking_reference=ID,
    captured=Money(5000, "USD"),
    event_id="evt_1",
)
RECORDED = RecordedPayment(payment=PAYMENT, booking_id=ID, exclusion=None)
REFUND_FAILED = replace(RECORDED, payment=replace(PAYMENT, failed_refunds=("re_1", "re_2")))


def key(subject: str) -> AnomalyKey:
    return AnomalyKey("stripe", "pi_1", Anomaly.REFUND_FAILED, subject)


def opened(subject: str, booking_id: BookingId | None = ID) -> OpenAnomaly:
    return OpenAnomaly(key(subject), booking_id, ID)


@pytest.mark.parametrize(
    ("exclusion", "booking", "words"),
    [
        (Exclusion.BOOKING_ID_MISSING, None, "names no booking"),
        (Exclusion.BOOKING_CANCELLED, BOOKING, "is cancelled"),
        (Exclusion.CURRENCY_MISMATCH, BOOKING, "the booking is in USD"),
        (Exclusion.BOOKING_UNKNOWN, None, f"no booking {ID}"),
    ],
)
def test_money_that_does_not_count_is_explained(
    exclusion: Exclusion, booking: Booking | None, words: str
) -> None:
    excluded = replace(RECORDED, exclusion=exclusion)
    [(found, text)] = anomalies_of(excluded, booking).items()
    assert (found.kind.value, found.subject) == (exclusion.value, "pi_1")
    assert words in text
    gone = replace(excluded, payment=replace(PAYMENT, refunded=5000))
    assert not anomalies_of(gone, booking)


def test_problems_of_money_that_counts_name_their_object() -> None:
    payment = replace(PAYMENT, is_out_of_band=True, conflicts=("a", "b"), lost=100, lost_disputes=("dp_1",))
    found = anomalies_of(replace(RECORDED, payment=payment), BOOKING)
    assert {(anomaly.kind.value, anomaly.subject) for anomaly in found} == {
        ("paid_out_of_band", "pi_1"),
        ("payment_conflict", "pi_1"),
        ("dispute_lost", "dp_1"),
    }
    assert "a; b" in found.values()


def test_new_ones_are_opened_known_ones_kept_and_past_ones_resolved() -> None:
    after, events = report_anomalies({ID: BOOKING}, [REFUND_FAILED], [opened("re_1"), opened("re_0")])
    resolved, new = events
    assert isinstance(resolved, PaymentAnomalyResolved)
    assert isinstance(new, PaymentAnomaly)
    assert (resolved.subject, resolved.sequence) == ("re_0", 5)
    assert (new.subject, new.sequence) == ("re_2", 6)
    assert after[ID].version == 6


def test_anomaly_of_no_booking_has_no_sequence() -> None:
    nameless = replace(RECORDED, booking_id=None, exclusion=Exclusion.BOOKING_UNKNOWN)
    _, events = report_anomalies({}, [nameless], [opened("re_0", None)])
    assert [type(event) for event in events] == [PaymentAnomalyResolved, PaymentAnomaly]
    named = [event for event in events if event.booking_id is not None or event.sequence is not None]
    assert not named
