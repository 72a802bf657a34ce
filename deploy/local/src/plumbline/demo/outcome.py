"""Read the results of the day from the services' APIs, and check them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from plumbline.demo.day import EXPECTED_STATES, BookingState, Fate
from plumbline.demo.play import SETTLE_SECONDS_MAX, PlayedBooking
from plumbline.demo.senders import Sent
from plumbline.failure import StackError
from plumbline.waiting import until

_PAGE = 500
_REFUSED = "webhook.validation.failed"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of the day, for the tables and the checks.

    Attributes:
        entries: the whole EventLog.
        states: booking id → status and payment status, before prices were falsified.
        payments: booking id → its payments, of the bookings whose payments are printed.
        history: the history of one completed booking, from audit.
        exceptions: the exception queue after the run, from `GET /api/exceptions`.
        run: the reconciliation run.
        history_safe: whether an UPDATE of the history as the owner was refused.
    """

    entries: list[Json]
    states: dict[str, BookingState]
    payments: dict[str, list[Json]]
    history: Json
    exceptions: Json
    run: Json
    history_safe: bool


class Observer:
    """Reads the services' state over their HTTP APIs."""

    def __init__(self, http: httpx.AsyncClient, urls: Mapping[str, str]) -> None:
        self._http = http
        self._urls = urls

    async def entries(self) -> list[Json]:
        """Return the whole EventLog."""
        entries: list[Json] = []
        cursor: str | None = None
        while True:
            query = {"limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            page = await self._get("audit", "/api/event-log", query)
            entries += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return entries

    async def wait_until_settled(self, sent: Sequence[Sent], bookings: Sequence[PlayedBooking]) -> None:
        """Wait until each delivery has its entry and each booking its state, or time is up."""

        async def is_settled() -> bool:
            counts = entries_by_event(await self.entries())
            refusals = sum(1 for delivery in sent if delivery.status != HTTPStatus.OK)
            if (
                any(key not in counts for key in accepted(sent))
                or counts_of_type(counts, _REFUSED) < refusals
            ):
                return False
            states = await self.states(bookings)
            return all(states[b.booking_id] == EXPECTED_STATES[b.plan.fate] for b in bookings)

        await until(is_settled, seconds_max=SETTLE_SECONDS_MAX)  # `problems` reports a missing effect

    async def states(self, bookings: Iterable[PlayedBooking]) -> dict[str, BookingState]:
        """Return booking id → status and payment status."""
        states: dict[str, BookingState] = {}
        for booking in bookings:
            read = await self._get("booking", f"/api/bookings/{booking.booking_id}")
            states[booking.booking_id] = BookingState(read["status"], read["payment_status"])
        return states

    async def payments(self, booking_ids: Iterable[str]) -> dict[str, list[Json]]:
        """Return booking id → its payments."""
        return {
            booking_id: (await self._get("booking", f"/api/bookings/{booking_id}/payments"))["items"]
            for booking_id in booking_ids
        }

    async def history(self, booking_id: str) -> Json:
        """Return a booking's history from audit."""
        return await self._get("audit", f"/api/bookings/{booking_id}/history")

    async def reconcile(self) -> Json:
        """Request a run and wait for its end."""
        response = await self._http.post(f"{self._urls['reconciler']}/api/reconciliation/runs", json={})
        if not response.is_success:
            raise StackError(
                f"demo: the reconciler refused a run: {response.status_code} {response.text[:300]}"
            )
        path = f"/api/reconciliation/runs/{response.json()['id']}"

        async def finished() -> bool:
            return (await self._get("reconciler", path))["status"] in ("completed", "failed", "cancelled")

        await until(finished, seconds_max=SETTLE_SECONDS_MAX)
        return await self._get("reconciler", path)

    async def exceptions(self, *, at_least: int) -> Json:
        """Return the exception queue when it has enough entries, or after `SETTLE_SECONDS_MAX`."""
        path, query = "/api/exceptions", {"limit": str(_PAGE)}

        async def complete() -> bool:
            return len((await self._get("reconciler", path, query))["exceptions"]) >= at_least

        await until(complete, seconds_max=SETTLE_SECONDS_MAX)
        return await self._get("reconciler", path, query)

    async def take_step(self, exception_id: str, name: str, body: Json) -> None:
        """Take a person's step on an exception."""
        path = f"/api/exceptions/{exception_id}/{name}"
        response = await self._http.post(self._urls["reconciler"] + path, json=body)
        if not response.is_success:
            raise StackError(f"demo: {path} answered {response.status_code}: {response.text[:300]}")

    async def exception(self, exception_id: str) -> Json:
        """Return one exception with its history."""
        return await self._get("reconciler", f"/api/exceptions/{exception_id}")

    async def entries_with(self, event_type: str, *, at_least: int) -> list[Json]:
        """Return the EventLog when it has so many entries of a type, or after `SETTLE_SECONDS_MAX`."""

        async def recorded() -> bool:
            page = await self._get("audit", "/api/event-log", {"event_type": event_type})
            return len(page["items"]) >= at_least

        await until(recorded, seconds_max=SETTLE_SECONDS_MAX)
        return await self.entries()

    async def _get(self, service: str, path: str, query: Mapping[str, str] | None = None) -> Json:
        response = await self._http.get(self._urls[service] + path, params=query)
        if not response.is_success:
            raise StackError(f"demo: {service} {path} answered {response.status_code}: {response.text[:300]}")
        return response.json()


EventKey = tuple[str, str]


def accepted(sent: Iterable[Sent]) -> set[EventKey]:
    """Return source and id of each event that was answered with 200."""
    return {(d.source, d.event_id) for d in sent if d.status == HTTPStatus.OK}


def entries_by_event(entries: Iterable[Json]) -> Counter[EventKey]:
    """Count the entries of each event. Refusals are counted under ("type", event type)."""
    return Counter(
        ("type", _REFUSED) if e["event_type"] == _REFUSED else (e["source"], e["event_id"]) for e in entries
    )


def counts_of_type(counts: Counter[EventKey], event_type: str) -> int:
    return counts["type", event_type]


def problems(
    sent: Sequence[Sent],
    bookings: Sequence[PlayedBooking],
    corrupted: Iterable[str],
    outcome: Outcome,
) -> list[str]:
    """Return the problems of the day, one line each, empty if all checks passed."""
    return [
        *_delivery_problems(sent, outcome.entries),
        *_state_problems(bookings, outcome.states),
        *_payment_problems(outcome.payments),
        *_exception_problems(bookings, set(corrupted), outcome),
        *([] if outcome.history_safe else ["the owner could rewrite a booking's history"]),
    ]


def _delivery_problems(sent: Sequence[Sent], entries: Sequence[Json]) -> list[str]:
    counts = entries_by_event(entries)
    lines = [
        f"{d.kind}: answered {d.status}, expected {200 if d.genuine else 401} ({d.event_id})"
        for d in sent
        if (d.status == HTTPStatus.OK) is not d.genuine
    ]
    lines += [
        f"{source} {event_id} was accepted and is in the EventLog {counts[source, event_id]} times"
        for source, event_id in sorted(accepted(sent))
        if counts[source, event_id] != 1
    ]
    refused = [d for d in sent if d.status != HTTPStatus.OK]
    lines += [
        f"{d.event_id} was refused and is in the EventLog" for d in refused if counts[d.source, d.event_id]
    ]
    if counts_of_type(counts, _REFUSED) != len(refused):
        lines.append(f"{len(refused)} refusals, {counts_of_type(counts, _REFUSED)} {_REFUSED} entries")
    return lines


def _state_problems(bookings: Sequence[PlayedBooking], states: Mapping[str, BookingState]) -> list[str]:
    return [
        f"booking {b.booking_id} ({b.plan.fate.value}) is {state.status} and {state.payment_status}, "
        f"expected {expected.status} and {expected.payment_status}"
        for b in bookings
        if (state := states[b.booking_id]) != (expected := EXPECTED_STATES[b.plan.fate])
    ]


def _payment_problems(payments: Mapping[str, Sequence[Json]]) -> list[str]:
    """Check that the events of one payment, however many, made one payment."""
    return [
        f"booking {booking_id} has {len(own)} payments, expected 1"
        for booking_id, own in payments.items()
        if len(own) != 1
    ]


def _exception_problems(
    bookings: Sequence[PlayedBooking], corrupted: set[str], outcome: Outcome
) -> list[str]:
    anomalous = {b.booking_id for b in bookings if b.plan.fate is Fate.PAID_AFTER_CANCELLATION}
    expected = {("pricing_drift", booking_id) for booking_id in corrupted}
    expected |= {("payment_anomaly", booking_id) for booking_id in anomalous}
    opened = Counter((e["type"], e["booking_id"]) for e in outcome.exceptions["exceptions"])
    lines = [
        f"{kind} of booking {booking_id} was not found"
        for kind, booking_id in sorted(expected - opened.keys())
    ]
    lines += [f"unexpected exception: {kind} of booking {b}" for kind, b in sorted(opened.keys() - expected)]
    lines += [f"{kind} of booking {b} was opened {n} times" for (kind, b), n in opened.items() if n > 1]
    if outcome.run["status"] != "completed":
        lines.append(f"the reconciliation run is {outcome.run['status']}")
    return lines
