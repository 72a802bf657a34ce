"""The tables at the end of the demo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from chassis.process.tables import Column, Table, number, print_parts
from contracts.money import Money
from plumbline.demo.corrupt import Corruption
from plumbline.demo.day import BookingState
from plumbline.demo.outcome import Outcome, entries_by_event
from plumbline.demo.play import PlayedBooking
from plumbline.demo.queue_work import WorkedException
from plumbline.demo.senders import Sent

_NOTHING = "the day has none"
_SCANNED = frozenset({"confirmed", "in_progress", "completed"})


def show(
    console: Console,
    sent: Sequence[Sent],
    bookings: Sequence[PlayedBooking],
    corrupted: Mapping[str, Corruption],
    outcome: Outcome,
    worked: Sequence[WorkedException],
) -> None:
    """Print deliveries, bookings, payments, one booking's history, the EventLog and the exceptions."""
    print_parts(
        deliveries_table(sent, outcome),
        _bookings(bookings, outcome),
        _payments(bookings, outcome),
        _history(outcome),
        _event_log(outcome),
        exceptions_table(corrupted, outcome),
        _worked(worked),
        console=console,
    )
    console.print()


def deliveries_table(sent: Sequence[Sent], outcome: Outcome) -> Table:
    """Return the kinds of deliveries, and how many entries each added to the EventLog."""
    table = Table(
        Column("delivery"),
        Column("sent", right=True),
        Column("answered", right=True),
        Column("new entries", right=True),
        Column("what became of it", leaves=1),
        title="Deliveries",
        empty=_NOTHING,
    )
    entries, counted = entries_by_event(outcome.entries), set[tuple[str, str]]()
    for kind in dict.fromkeys(delivery.kind for delivery in sent):
        deliveries = [delivery for delivery in sent if delivery.kind == kind]
        answers = " ".join(str(status) for status in sorted({d.status for d in deliveries}))
        events = {(d.source, d.event_id) for d in deliveries} - counted
        counted |= events
        result = "published, applied" if deliveries[0].genuine else "refused, the refusal is on record"
        if not events:
            result = "acknowledged; known by its id"
        new = sum(entries[event] for event in events)
        table.add(kind, number(len(deliveries)), answers, number(new), result)
    table.add_note(
        "A repeat adds no entry: the EventLog keeps one for each event id, and the first delivery made it."
        " The sender gets its 200 all the same, or it would send again for days."
    )
    return table


def _bookings(bookings: Sequence[PlayedBooking], outcome: Outcome) -> Table:
    table = Table(
        Column("status"),
        Column("payment status"),
        Column("bookings", right=True),
        Column("fate", wraps=20),
        title="Bookings at the end of the day",
        empty=_NOTHING,
    )
    groups = Counter((outcome.states[b.booking_id], b.plan.fate.value) for b in bookings)
    for (state, fate), count in sorted(groups.items()):
        table.add(state.status, state.payment_status, number(count), fate)
    return table


def _payments(bookings: Sequence[PlayedBooking], outcome: Outcome) -> Table:
    amounts = ("captured", "refunded", "disputed")
    table = Table(
        Column("fate", wraps=20),
        Column("provider", leaves=1),
        *(Column(name, right=True) for name in amounts),
        Column("payment status"),
        title="What booking made of it: several events, one payment",
        empty=_NOTHING,
    )
    fates = {b.booking_id: b.plan.fate.value for b in bookings}
    for booking_id, payments in outcome.payments.items():
        for payment in payments:
            shown = [_amount(payment[name]) for name in amounts]
            status = outcome.states[booking_id].payment_status
            table.add(fates[booking_id], payment["provider"], *shown, status)
    return table


def _history(outcome: Outcome) -> Table:
    booking_id = outcome.history["booking_id"]
    table = Table(
        Column("version", right=True),
        Column("from"),
        Column("to"),
        Column("by"),
        Column("reason", wraps=20),
        Column("at"),
        title=f"History of booking {booking_id}",
        empty=_NOTHING,
    )
    for step in outcome.history["history"]:
        table.add(
            str(step["version"]),
            step["from_status"] or "",
            step["to_status"],
            step["changed_by"],
            step["reason"] or "",
            _time(step["recorded_at"]),
        )
    refusal = "refused by trigger" if outcome.history_safe else "NOT REFUSED"
    table.add_note(f"UPDATE of the history by the table owner: {refusal}")
    return table


def _event_log(outcome: Outcome) -> Table:
    columns = Column("event type"), Column("status"), Column("entries", right=True)
    table = Table(*columns, title="EventLog", empty=_NOTHING)
    counts = Counter((entry["event_type"], entry["status"]) for entry in outcome.entries)
    for (event_type, status), count in sorted(counts.items()):
        table.add(event_type, status, number(count))
    return table


def exceptions_table(corrupted: Mapping[str, Corruption], outcome: Outcome) -> Table:
    """Return the exceptions of the run, with what caused each, and why the numbers are what they are."""
    run, items = outcome.run, outcome.exceptions["exceptions"]
    counts = ", ".join(f"{run[name]} {name}" for name in ("scanned", "clean", "drifted", "errored"))
    table = Table(
        Column("severity"),
        Column("type", leaves=1),
        Column("booking", leaves=2),
        Column("explanation", wraps=26),
        Column("cause", wraps=18),
        title=f"Exceptions after the reconciliation run: {counts}",
        empty="no exception waits",
    )
    for item in items:
        corruption = corrupted.get(item["booking_id"])
        cause = corruption.name if corruption else "payment after the cancellation"
        table.add(item["severity"], _kind(item), item["booking_id"][-12:], item["title"], cause)
    table.add_note(_scanned(run["scanned"], outcome.states))
    others = sum(item["booking_id"] not in corrupted for item in items)
    table.add_note(
        f"{len(items)} exceptions: {len(items) - others} are the falsified prices, {others} is the payment"
        " for a cancelled booking, which booking reported by day and the run did not have to find."
    )
    return table


def _scanned(scanned: int, states: Mapping[str, BookingState]) -> str:
    """Say why a run scanned fewer bookings than there are."""
    left = Counter(state.status for state in states.values() if state.status not in _SCANNED)
    rest = " and ".join(f"{count} {status}" for status, count in sorted(left.items(), reverse=True))
    return (
        f"{scanned} of {len(states)} bookings were scanned: a run reads those that are confirmed, in progress"
        f" or completed, and cancelled ones with money that no exception is about. The others are {rest}."
    )


def _worked(worked: Sequence[WorkedException]) -> Table:
    table = Table(
        Column("booking", leaves=1),
        Column("falsified", wraps=18),
        Column("what the operator did", wraps=18),
        Column("after the next run", wraps=14),
        Column("history", wraps=24, leaves=2),
        title="Three exceptions worked off, and what the next run made of them",
        empty=_NOTHING,
    )
    for each in worked:
        item = each.after
        status = f"{item['status']} ({item['resolution']})" if item["resolution"] else item["status"]
        back = ", came back" if item["regressions"] else ""
        history = " → ".join(step["kind"] for step in item["history"])
        booking = item["booking_id"][-12:]
        table.add(booking, each.task.corruption.name, each.task.did, status + back, history)
    return table


def _kind(item: Mapping[str, Any]) -> str:
    explanation: Mapping[str, Any] = item.get("explanation") or {}
    drift_class = item.get("class") or explanation.get("class")
    return f"{item['type']} ({drift_class})" if drift_class else str(item["type"])


def _time(text: str) -> str:
    return text[11:19]


def _amount(money: Mapping[str, Any]) -> str:
    return str(Money(money["amount"], money["currency"])) if money["amount"] else ""
