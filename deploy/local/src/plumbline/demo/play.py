"""Play the day: bookings and status changes over HTTP, payments and text messages through the gateway."""

from dataclasses import dataclass
from typing import Any

import httpx

from plumbline.demo.day import PAID_FATES, Fate, PlannedBooking
from plumbline.demo.senders import Senders
from plumbline.demo.stripe_events import checkout_event, dispute_event, payment_event, refund_events
from plumbline.failure import StackError
from plumbline.waiting import until

SETTLE_SECONDS_MAX = 30.0
"""Longest wait for the effect of a delivery. Normal are milliseconds."""


@dataclass(frozen=True, slots=True)
class PlayedBooking:
    """A booking of the plan with its id and total (minor units) from the service."""

    plan: PlannedBooking
    booking_id: str
    total: int
    currency: str


class Office:
    """The employees of the company, who use booking's API."""

    def __init__(self, http: httpx.AsyncClient, booking_url: str) -> None:
        self._http = http
        self._url = booking_url

    async def book(self, plan: PlannedBooking) -> PlayedBooking:
        response = await self._http.post(
            f"{self._url}/api/bookings", json=plan.request, headers={"idempotency-key": f"day-{plan.number}"}
        )
        booking = _json(response, 201)
        return PlayedBooking(plan, booking["id"], booking["total"]["amount"], booking["total"]["currency"])

    async def set_status(self, booking_id: str, status: str, reason: str) -> None:
        response = await self._http.patch(
            f"{self._url}/api/bookings/{booking_id}", json={"status": status, "reason": reason}
        )
        _json(response, 200)

    async def offer(self, booking_id: str, person_id: str, number: int) -> None:
        """Offer a booking to a person, whose phone ends with `number`."""
        offer = {"person_id": person_id, "name": person_id, "phone": f"+1312555{number:04d}"}
        _json(await self._http.post(f"{self._url}/api/bookings/{booking_id}/offers", json=offer), 201)

    async def enter_cash(self, booking: PlayedBooking) -> None:
        """Enter the whole price as paid in cash."""
        price = {"amount": booking.total, "currency": booking.currency}
        entry = {"amount": price, "method": "cash", "reason": "paid at the door"}
        path = f"{self._url}/api/bookings/{booking.booking_id}/payments"
        _json(await self._http.post(path, json=entry), 201)

    async def status(self, booking_id: str) -> str:
        return _json(await self._http.get(f"{self._url}/api/bookings/{booking_id}"), 200)["status"]

    async def wait_for(self, booking_id: str, status: str) -> None:
        """Wait until a booking has a status. Raise `StackError` after `SETTLE_SECONDS_MAX`."""

        async def reached() -> bool:
            return await self.status(booking_id) == status

        if not await until(reached, seconds_max=SETTLE_SECONDS_MAX):
            raise StackError(
                f"demo: booking {booking_id} did not become {status} in {SETTLE_SECONDS_MAX:g} s"
            )


async def play_booking(office: Office, senders: Senders, booking: PlayedBooking) -> None:
    """Send all payments and status changes of one booking, in order."""
    fate = booking.plan.fate
    if fate is Fate.CONFIRMED_BY_HAND:
        await office.set_status(booking.booking_id, "confirmed", "agreed on the phone, pays on the day")
    if fate in (Fate.CANCELLED, Fate.PAID_AFTER_CANCELLATION):
        await office.set_status(booking.booking_id, "cancelled", "the client's plans changed")
    if fate is Fate.TAKEN_BY_SMS:
        await _answer_offers(office, senders, booking.booking_id)
    if fate is Fate.CASH:
        await office.enter_cash(booking)
    if fate is Fate.CHECKOUT:
        await _pay_by_checkout(office, senders, booking)
    if fate in PAID_FATES:
        await _pay(senders, booking)
    if fate is Fate.COMPLETED:
        await office.wait_for(booking.booking_id, "confirmed")
        await office.set_status(booking.booking_id, "in_progress", "sitter has arrived")
        await office.set_status(booking.booking_id, "completed", "report sent to the client")
    if fate is Fate.REFUNDED:
        await _cancel_and_refund(office, senders, booking)
    if fate is Fate.DISPUTED:
        dispute = dispute_event(booking.plan.number, booking.total, booking.currency)
        await senders.stripe("Stripe: dispute", dispute)


async def _pay_by_checkout(office: Office, senders: Senders, booking: PlayedBooking) -> None:
    """Deliver a Checkout session that names the booking, and its payment intent, which does not."""
    number, amount, currency = booking.plan.number, booking.total, booking.currency
    session = checkout_event(number, booking.booking_id, amount, currency)
    await senders.stripe("Stripe: Checkout session", session)
    # An intent that arrives first is an anomaly until its session arrives. The day has no such chance.
    await office.wait_for(booking.booking_id, "confirmed")
    intent = payment_event(number, "payment_intent.succeeded", None, amount, currency)
    await senders.stripe("Stripe: intent of the session", intent)


async def _cancel_and_refund(office: Office, senders: Senders, booking: PlayedBooking) -> None:
    await office.wait_for(booking.booking_id, "confirmed")
    await office.set_status(booking.booking_id, "cancelled", "the client is ill: refunded in full")
    for event in refund_events(booking.plan.number, booking.total, booking.currency):
        await senders.stripe("Stripe: refund", event)


async def _answer_offers(office: Office, senders: Senders, booking_id: str) -> None:
    """Offer a booking to two sitters. One says yes, the other says yes too late."""
    for number in (700, 701):
        await office.offer(booking_id, f"sitter-{number}", number)
    await senders.sms("SMS: a sitter accepts an offer", 700, "Yes! \N{THUMBS UP SIGN}")
    await office.wait_for(booking_id, "confirmed")
    await senders.sms("SMS: another sitter is too late", 701, "I accept", legacy=True)


_KINDS = {
    Fate.PAID_AFTER_CANCELLATION: "Stripe: payment for a cancelled booking",
    Fate.HALF_PAID: "Stripe: half of the price",
}


async def _pay(senders: Senders, booking: PlayedBooking) -> None:
    fate, number = booking.plan.fate, booking.plan.number
    amount = booking.total // 2 if fate is Fate.HALF_PAID else booking.total
    paid = payment_event(number, "payment_intent.succeeded", booking.booking_id, amount, booking.currency)
    await senders.stripe(_KINDS.get(fate, "Stripe: payment"), paid)
    if fate is Fate.PAID_DELIVERED_TWICE:
        await senders.stripe("Stripe: the same event again", paid)
    if fate is Fate.PAID_THEN_LATE_FAILURE:
        failed = payment_event(
            number,
            "payment_intent.payment_failed",
            booking.booking_id,
            amount,
            booking.currency,
            minutes_ago=5,
        )
        await senders.stripe("Stripe: an older failure, late", failed)


async def play_attacks(senders: Senders, victim: PlayedBooking) -> None:
    """Deliver forged, unsigned and stale messages. The Stripe events claim a payment for `victim`."""
    for number, how in enumerate(("forged", "forged", "forged", "unsigned", "stale", "stale"), start=900):
        event = payment_event(
            number, "payment_intent.succeeded", victim.booking_id, victim.total, victim.currency
        )
        await senders.stripe(f"Stripe: {how}", event, how=how)
    await senders.sms("SMS: forged", 910, "YES", how="forged")
    await senders.sms("SMS: unsigned", 911, "YES", how="unsigned")
    await senders.sms("SMS: stale", 912, "YES", how="stale", legacy=True)


async def play_messages(senders: Senders) -> None:
    """Deliver clients' text messages with both of the provider's signature schemes, some of them twice."""
    texts = ("Yes", "running late", "thank you! 🐾", "Can you come an hour earlier?", "ok", "no")
    for number, text in enumerate(texts, start=800):
        await senders.sms("SMS: OpenPhone signature", number, text, legacy=True)
        await senders.sms("SMS: Quo signature", number + 50, text)
    await senders.sms("SMS: the same message again", 800, texts[0], legacy=True)
    await senders.sms("SMS: the same message again", 850, texts[0])


def _json(response: httpx.Response, status: int) -> dict[str, Any]:
    if response.status_code != status:
        raise StackError(
            f"demo: {response.request.method} {response.request.url.path} answered {response.status_code}, "
            f"not {status}: {response.text[:300]}"
        )
    return response.json()
