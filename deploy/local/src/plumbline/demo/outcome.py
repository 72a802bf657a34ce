"""What the services made of the day, read through their own interfaces, and whether it is right."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from plumbline.demo.day import EXPECTED_STATUS, Fate
from plumbline.demo.play import SETTLE_SECONDS_MAX, PlayedBooking
from plumbline.demo.senders import Sent
from plumbline.failure import StackError
from plumbline.waiting import until

_PAGE = 500
_REFUSED = "webhook.validation.failed"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the tables show.

    Attributes:
        entries: the whole EventLog.
        statuses: booking id → status.
        history: of one booking with a full life, as audit keeps it.
        exceptions: the queue after the run, as `GET /api/exceptions` answers.
        run: the reconciliation run.
        history_safe: an attempt to rewrite history as the owner was refused.
    """

    entries: list[Json]
    statuses: dict[str, str]
    history: Json
    exceptions: Json
    run: Json
    history_safe: bool


class Observer:
    """Reads what the services show to anybody who asks."""

    def __init__(self, http: httpx.AsyncClient, urls: Mapping[str, str]) -> None:
        self._http = http
        self._urls = urls

    async def entries(self) -> list[Json]:
        """The whole EventLog, page by page."""
        entries: list[Json] = []
        cursor: str | None = None
        while True:
            query = {"limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            page = await self._get("audit", "/api/event-log", query)
            entries += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return entries

    async def settled(self, sent: Sequence[Sent], bookings: Sequence[PlayedBooking]) -> None:
        """Wait until every delivery has its entry and every booking its status, or time is up."""

        async def done() -> bool:
            counts = entries_by_event(await self.entries())
            refusals = sum(1 for delivery in sent if delivery.status != HTTPStatus.OK)
            if (
                any(key not in counts for key in accepted(sent))
                or counts_of_type(counts, _REFUSED) < refusals
            ):
                return False
            statuses = await self.statuses(bookings)
            return all(statuses[b.booking_id] == EXPECTED_STATUS[b.plan.fate] for b in bookings)

        await until(done, seconds_max=SETTLE_SECONDS_MAX)  # what is missing then is told by `problems`

    async def statuses(self, bookings: Iterable[PlayedBooking]) -> dict[str, str]:
        """Booking id → status."""
        return {
            b.booking_id: (await self._get("booking", f"/api/bookings/{b.booking_id}"))["status"]
            for b in bookings
        }

    async def history(self, booking_id: str) -> Json:
        """One booking's history as audit keeps it."""
        return await self._get("audit", f"/api/bookings/{booking_id}/history")

    async def reconcile(self) -> Json:
        """Request a run and wait for its end."""
        answer = await self._http.post(f"{self._urls['reconciler']}/api/reconciliation/runs", json={})
        if not answer.is_success:
            raise StackError(f"demo: the reconciler refused a run: {answer.status_code} {answer.text[:300]}")
        path = f"/api/reconciliation/runs/{answer.json()['id']}"

        async def finished() -> bool:
            return (await self._get("reconciler", path))["status"] in ("completed", "failed", "cancelled")

        await until(finished, seconds_max=SETTLE_SECONDS_MAX)
        return await self._get("reconciler", path)

    async def exceptions(self, *, at_least: int) -> Json:
        """The exception queue, once it has that many, or as it is when time is up."""
        path, query = "/api/exceptions", {"limit": str(_PAGE)}

        async def there() -> bool:
            return len((await self._get("reconciler", path, query))["exceptions"]) >= at_least

        await until(there, seconds_max=SETTLE_SECONDS_MAX)
        return await self._get("reconciler", path, query)

    async def entries_with(self, event_type: str) -> list[Json]:
        """The whole EventLog, once it has an entry of that type, or as it is when time is up."""

        async def there() -> bool:
            page = await self._get("audit", "/api/event-log", {"event_type": event_type})
            return bool(page["items"])

        await until(there, seconds_max=SETTLE_SECONDS_MAX)
        return await self.entries()

    async def _get(self, service: str, path: str, query: Mapping[str, str] | None = None) -> Json:
        answer = await self._http.get(self._urls[service] + path, params=query)
        if not answer.is_success:
            raise StackError(f"demo: {service} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()


EventKey = tuple[str, str]


def accepted(sent: Iterable[Sent]) -> set[EventKey]:
    """Source and id of every provider event that was answered with 200."""
    return {(d.source, d.event_id) for d in sent if d.status == HTTPStatus.OK}


def entries_by_event(entries: Iterable[Json]) -> Counter[EventKey]:
    """How many entries each event has; refusals are counted under their type."""
    return Counter(
        ("type", _REFUSED) if e["event_type"] == _REFUSED else (e["source"], e["event_id"]) for e in entries
    )


def counts_of_type(counts: Counter[EventKey], event_type: str) -> int:
    """Entries counted under a type."""
    return counts["type", event_type]


def problems(
    sent: Sequence[Sent],
    bookings: Sequence[PlayedBooking],
    corrupted: Iterable[str],
    outcome: Outcome,
) -> list[str]:
    """What is not as it must be, one line each; empty means that the day was kept honestly."""
    return [
        *_delivery_problems(sent, outcome.entries),
        *_status_problems(bookings, outcome.statuses),
        *_exception_problems(bookings, set(corrupted), outcome),
        *([] if outcome.history_safe else ["the owner could rewrite a booking's history"]),
    ]


def _delivery_problems(sent: Sequence[Sent], entries: Sequence[Json]) -> list[str]:
    counts = entries_by_event(entries)
    found = [
        f"{d.kind}: answered {d.status}, expected {200 if d.genuine else 401} ({d.event_id})"
        for d in sent
        if (d.status == HTTPStatus.OK) is not d.genuine
    ]
    found += [
        f"{source} {event_id} was accepted and stands in the EventLog {counts[source, event_id]} times"
        for source, event_id in sorted(accepted(sent))
        if counts[source, event_id] != 1
    ]
    refused = [d for d in sent if d.status != HTTPStatus.OK]
    found += [
        f"{d.event_id} was refused and is in the EventLog" for d in refused if counts[d.source, d.event_id]
    ]
    if counts_of_type(counts, _REFUSED) != len(refused):
        found.append(f"{len(refused)} refusals, {counts_of_type(counts, _REFUSED)} {_REFUSED} entries")
    return found


def _status_problems(bookings: Sequence[PlayedBooking], statuses: Mapping[str, str]) -> list[str]:
    return [
        f"booking {b.booking_id} ({b.plan.fate.value}) is {statuses[b.booking_id]}, "
        f"expected {EXPECTED_STATUS[b.plan.fate]}"
        for b in bookings
        if statuses[b.booking_id] != EXPECTED_STATUS[b.plan.fate]
    ]


def _exception_problems(
    bookings: Sequence[PlayedBooking], corrupted: set[str], outcome: Outcome
) -> list[str]:
    anomalous = {b.booking_id for b in bookings if b.plan.fate is Fate.PAID_AFTER_CANCELLATION}
    wanted = {("pricing_drift", booking_id) for booking_id in corrupted}
    wanted |= {("payment_anomaly", booking_id) for booking_id in anomalous}
    found = Counter((e["type"], e["booking_id"]) for e in outcome.exceptions["exceptions"])
    report = [
        f"{kind} of booking {booking_id} was not found" for kind, booking_id in sorted(wanted - found.keys())
    ]
    report += [f"unexpected exception: {kind} of booking {b}" for kind, b in sorted(found.keys() - wanted)]
    report += [f"{kind} of booking {b} was opened {n} times" for (kind, b), n in found.items() if n > 1]
    if outcome.run["status"] != "completed":
        report.append(f"the reconciliation run is {outcome.run['status']}")
    return report
