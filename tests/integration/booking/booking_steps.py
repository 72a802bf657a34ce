"""Steps of one booking's life, made on the real service and on the model at once (`booking_model.py`)."""

import json
import random
from collections.abc import Collection
from typing import Any

import httpx

from harness import Record, eventually
from integration.booking.booking_calls import BookingApi, webhook_record
from integration.booking.booking_model import ALLOWED, FINAL, BookingModel, price
from integration.booking.offer_calls import new_phone, post_offer, quo_sms, send
from integration.booking.stripe_ledger import Event, StripePayment

_PETS = [{"name": name, "species": "dog"} for name in ("Rex", "Bo", "Kit")]
_ADMITTED = "SELECT count(*) FROM inbox WHERE event_id = ANY($1)"
_WAIT_SECONDS = 30.0


def pets(number: int) -> list[dict[str, str]]:
    return _PETS[:number]


class Life:
    """One booking: calls to the service, each with the answer that the model expects.

    Stripe's events wait in `undelivered` until a step delivers some of them, in any order and with copies.
    """

    def __init__(self, api: BookingApi, booking: dict[str, Any], model: BookingModel) -> None:
        self.api = api
        self.id: str = booking["id"]
        self.model = model
        self.undelivered: list[Event] = []
        self._delivered: list[Event] = []
        self._phones = [new_phone() for _ in range(3)]
        self._people = 0

    async def patch_status(self, to: str, match: str) -> None:
        before = await self.api.call("GET", f"/{self.id}")
        headers = {"fresh": {"If-Match": before.headers["etag"]}, "stale": {"If-Match": '"999999"'}}
        if match == "fresh" and self.model.status in FINAL:
            match = "any"  # the job that closes offers may change a final booking at any moment
        answer = await self.api.change(self.id, to, **headers.get(match, {}))
        if match == "stale":
            _refused(answer, 412, "stale-version")
            return
        known = self.model.status
        if self.model.change(to):
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == to
            return
        problem = _refused(answer, 409, "illegal-transition")
        assert (problem["from"], problem["to"]) == (known, to)
        assert set(problem["allowed_transitions"]) == ALLOWED[known]

    async def patch_pets(self, number: int) -> None:
        await self.deliver_all()
        answer = await self.api.call("PATCH", f"/{self.id}", {"pets": pets(number)})
        if number == self.model.pets or self.model.status == "pending":
            assert answer.status_code == 200, answer.text
            if number != self.model.pets:
                self.model.pets = number
                if price(number) != self.model.total:
                    self.model.set_total(price(number))
        elif self.model.status == "confirmed":
            _refused(answer, 409, "price-frozen")
        else:
            _refused(answer, 409, "not-changeable")

    async def patch_notes(self, notes: str) -> None:
        answer = await self.api.call("PATCH", f"/{self.id}", {"notes": notes})
        if notes != self.model.notes and self.model.status in FINAL:
            _refused(answer, 409, "not-changeable")
            return
        assert answer.status_code == 200, answer.text
        self.model.notes = notes

    async def reprice(self, total: int | None) -> None:
        await self.deliver_all()
        body: dict[str, Any] = {"reason": "agreed"}
        if total is not None:
            body["total"] = {"amount": total, "currency": "USD"}
        answer = await self.api.call("POST", f"/{self.id}/reprice", body)
        if total is None and self.model.status != "pending":
            _refused(answer, 409, "price-frozen")
        elif self.model.status in FINAL:
            _refused(answer, 409, "not-changeable")
        else:
            assert answer.status_code == 200, answer.text
            self.model.set_total(price(self.model.pets) if total is None else total)

    async def enter(self, amount: int) -> None:
        body = {"amount": {"amount": amount, "currency": "USD"}, "method": "cash", "reason": "at the door"}
        answer = await self.api.call("POST", f"/{self.id}/payments", body)
        if self.model.status == "cancelled":
            _refused(answer, 409, "booking-cancelled")
            return
        assert answer.status_code == 201, answer.text
        self.model.enter(answer.json()["id"], amount)

    async def reverse(self, which: int) -> None:
        """Undo an entry; one that was undone before is refused."""
        if not self.model.entries:
            return
        entry = self.model.entries[which % len(self.model.entries)]
        body = {"reverses": entry["id"], "reason": "wrong booking"}
        answer = await self.api.call("POST", f"/{self.id}/payments", body)
        if entry["reversed"]:
            _refused(answer, 409, "already-reversed")
            return
        assert answer.status_code == 201, answer.text
        entry["reversed"] = True

    async def offer(self, phone: int) -> None:
        self._people += 1
        person = f"sitter-{self._people}"
        number = self._phones[phone]
        answer = await post_offer(self.api, self.id, phone=number, person_id=person)
        if self.model.may_offer(number):
            assert answer.status_code == 201, answer.text
            offer = {"phone": number, "person": person, "status": "open", "reason": ""}
            self.model.offers[answer.json()["id"]] = offer
        else:
            _refused(answer, 409, "booking-closed" if self.model.status in FINAL else "offer-exists")

    async def withdraw(self, which: int) -> None:
        if not self.model.offers:
            return
        offer_id, offer = [*self.model.offers.items()][which % len(self.model.offers)]
        if offer["status"] == "open" and self.model.status in FINAL:
            return  # the job may close it first, for another reason
        answer = await self.api.call("POST", f"/{self.id}/offers/{offer_id}/withdraw")
        if offer["status"] == "closed" and offer["reason"] != "withdrawn":
            _refused(answer, 409, "offer-closed")
            return
        assert answer.status_code == 200, answer.text
        offer |= {"status": "closed", "reason": "withdrawn"}

    async def text(self, phone: int | None, text: str) -> None:
        """Receive an SMS from one of the phones, or from a stranger's."""
        sender = new_phone() if phone is None else self._phones[phone]
        outcome = self.model.say_yes(sender) if text == "Yes!" else "no_yes"
        (row,) = await send(self.api, quo_sms(sender, text))
        assert row["outcome"] == outcome

    async def begin_payment(self, currency: str, amount: int, way: str, linked: str, told: str) -> None:
        payment = StripePayment(
            booking_id=self.id,
            amount=amount,
            currency=currency,
            way=way,  # type: ignore[arg-type]
            linked=linked,  # type: ignore[arg-type]
            told=told,  # type: ignore[arg-type]
        )
        self.model.stripe.append(payment)
        self.undelivered += payment.begin()

    async def at_stripe(self, which: int, action: str, *arguments: Any) -> None:
        """Let something happen at Stripe. Its events are delivered by a later step."""
        if self.model.stripe:
            payment = self.model.stripe[which % len(self.model.stripe)]
            self.undelivered += getattr(payment, action)(*arguments)

    async def deliver(self, seed: int, part: int) -> None:
        """Deliver a part (in tenths) of the waiting events in any order, and some events again."""
        chosen = random.Random(seed)
        chosen.shuffle(self.undelivered)
        number = -(-len(self.undelivered) * part // 10)
        events, self.undelivered = self.undelivered[:number], self.undelivered[number:]
        copies = [event for event in (*events, *self._delivered) if not chosen.randrange(3)]
        if not events and not copies:
            return
        mixed = [*events, *copies]
        chosen.shuffle(mixed)
        self._delivered += events
        await self.api.publish(*map(_record, mixed))
        await self._until_admitted({event.id for event in events})
        self.model.deliver(events)

    async def deliver_all(self) -> None:
        await self.deliver(len(self._delivered), 10)

    async def _until_admitted(self, event_ids: Collection[str]) -> None:
        database = self.api.stack.database("booking")

        async def admitted() -> bool:
            return await database.fetchval(_ADMITTED, list(event_ids)) == len(event_ids)

        await eventually(admitted, seconds=_WAIT_SECONDS)


def _record(event: Event) -> Record:
    """Return the delivery as the gateway publishes it: keyed by booking if the metadata name one."""
    body = {
        "id": event.id,
        "type": event.type,
        "created": event.created,
        "data": {"object": event.subject},
    }
    key = event.subject["metadata"].get("booking_id") or event.subject["id"]
    return webhook_record(
        json.dumps(body).encode(), key=key, event_id=event.id, event_type=f"stripe.{event.type}"
    )


def _refused(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:plumbline:problem:{kind}")
    return answer.json()
