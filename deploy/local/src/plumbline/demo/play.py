"""Plays the day: bookings over HTTP, payments and messages through the gateway, the office at work."""

from dataclasses import dataclass
from typing import Any

import httpx

from plumbline.demo.day import PAID_FATES, Fate, PlannedBooking
from plumbline.demo.senders import Senders, payment_event
from plumbline.failure import StackError
from plumbline.waiting import until

SETTLE_SECONDS_MAX = 30.0
"""From a delivery to its effect takes milliseconds; a slow machine is given this long."""


@dataclass(frozen=True, slots=True)
class PlayedBooking:
    """A booking of the plan as the service made it: id and total in minor units."""

    plan: PlannedBooking
    booking_id: str
    total: int
    currency: str


class Office:
    """The people of the company, who use booking's API."""

    def __init__(self, http: httpx.AsyncClient, booking_url: str) -> None:
        self._http = http
        self._url = booking_url

    async def book(self, plan: PlannedBooking) -> PlayedBooking:
        """Create the booking."""
        answer = await self._http.post(
            f"{self._url}/api/bookings", json=plan.request, headers={"idempotency-key": f"day-{plan.number}"}
        )
        booking = _json(answer, 201)
        return PlayedBooking(plan, booking["id"], booking["total"]["amount"], booking["total"]["currency"])

    async def set_status(self, booking_id: str, status: str, reason: str) -> None:
        """Change a booking's status, saying why."""
        answer = await self._http.patch(
            f"{self._url}/api/bookings/{booking_id}", json={"status": status, "reason": reason}
        )
        _json(answer, 200)

    async def status(self, booking_id: str) -> str:
        """Where a booking stands."""
        return _json(await self._http.get(f"{self._url}/api/bookings/{booking_id}"), 200)["status"]

    async def wait_for(self, booking_id: str, status: str) -> None:
        """Wait until an event has brought a booking there."""

        async def there() -> bool:
            return await self.status(booking_id) == status

        if not await until(there, seconds_max=SETTLE_SECONDS_MAX):
            raise StackError(
                f"demo: booking {booking_id} did not become {status} in {SETTLE_SECONDS_MAX:g} s"
            )


async def play_booking(office: Office, senders: Senders, booking: PlayedBooking) -> None:
    """Everything that the day brings to one booking, in the order in which it happens."""
    fate = booking.plan.fate
    if fate is Fate.CONFIRMED_BY_HAND:
        await office.set_status(booking.booking_id, "confirmed", "agreed on the phone, pays on the day")
    if fate in (Fate.CANCELLED, Fate.PAID_AFTER_CANCELLATION):
        await office.set_status(booking.booking_id, "cancelled", "the client's plans changed")
    if fate in PAID_FATES:
        await _pay(senders, booking)
    if fate is Fate.COMPLETED:
        await office.wait_for(booking.booking_id, "confirmed")
        await office.set_status(booking.booking_id, "in_progress", "sitter has arrived")
        await office.set_status(booking.booking_id, "completed", "report sent to the client")


_KINDS = {
    Fate.PAID_AFTER_CANCELLATION: "Stripe: payment for a cancelled booking",
    Fate.HALF_PAID: "Stripe: half of the price",
}


async def _pay(senders: Senders, booking: PlayedBooking) -> None:
    fate, number = booking.plan.fate, booking.plan.number
    amount = booking.total // 2 if fate is Fate.HALF_PAID else booking.total
    paid = payment_event(number, "payment_intent.succeeded", booking.booking_id, amount, booking.currency)
    await senders.stripe(_KINDS.get(fate, "Stripe: payment"), paid)
    if fate is Fate.PAID_TWICE_TOLD:
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
    """What nobody signed, or signed long ago: as if `victim` had been paid."""
    for number, how in enumerate(("forged", "forged", "forged", "unsigned", "stale", "stale"), start=900):
        event = payment_event(
            number, "payment_intent.succeeded", victim.booking_id, victim.total, victim.currency
        )
        await senders.stripe(f"Stripe: {how}", event, how=how)
    await senders.sms("SMS: forged", 910, "YES", how="forged")
    await senders.sms("SMS: unsigned", 911, "YES", how="unsigned")
    await senders.sms("SMS: stale", 912, "YES", how="stale", legacy=True)


async def play_messages(senders: Senders) -> None:
    """Text messages of clients, in both generations of the provider's signature; some come twice."""
    texts = ("Yes", "running late", "thank you! 🐾", "Can you come an hour earlier?", "ok", "no")
    for number, text in enumerate(texts, start=800):
        await senders.sms("SMS: OpenPhone signature", number, text, legacy=True)
        await senders.sms("SMS: Quo signature", number + 50, text)
    await senders.sms("SMS: the same message again", 800, texts[0], legacy=True)
    await senders.sms("SMS: the same message again", 850, texts[0])


def _json(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        raise StackError(
            f"demo: {answer.request.method} {answer.request.url.path} answered {answer.status_code}, "
            f"not {status}: {answer.text[:300]}"
        )
    return answer.json()
