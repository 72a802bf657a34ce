"""The tables at the end of the demo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from contracts.money import Money
from plumbline.demo.corrupt import Corruption
from plumbline.demo.outcome import Outcome, entries_by_event
from plumbline.demo.play import PlayedBooking
from plumbline.demo.queue_work import WorkedException
from plumbline.demo.senders import Sent


def show(
    console: Console,
    sent: Sequence[Sent],
    bookings: Sequence[PlayedBooking],
    corrupted: Mapping[str, Corruption],
    outcome: Outcome,
    worked: Sequence[WorkedException],
) -> None:
    """Print deliveries, bookings, payments, one booking's history, the EventLog and the exceptions."""
    for table in (
        _deliveries(sent, outcome),
        _bookings(bookings, outcome),
        _payments(bookings, outcome),
        _history(outcome),
        _event_log(outcome),
        _exceptions(corrupted, outcome),
        _worked(worked),
    ):
        console.print(table)
        console.print()


def _table(title: str, *columns: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", expand=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table


def _deliveries(sent: Sequence[Sent], outcome: Outcome) -> Table:
    numbers = ("sent", "answered", "in EventLog")
    table = _table("Deliveries", "delivery", *numbers, "", numbers=numbers)
    entries = entries_by_event(outcome.entries)
    for kind in dict.fromkeys(delivery.kind for delivery in sent):
        deliveries = [delivery for delivery in sent if delivery.kind == kind]
        answers = " ".join(str(status) for status in sorted({d.status for d in deliveries}))
        logged = sum(entries[d.source, d.event_id] for d in deliveries)
        result = "published" if deliveries[0].genuine else "refused, on record"
        if "again" in kind:
            result = "acknowledged, applied once"
        table.add_row(kind, str(len(deliveries)), answers, str(logged), result)
    return table


def _bookings(bookings: Sequence[PlayedBooking], outcome: Outcome) -> Table:
    title = "Bookings at the end of the day"
    table = _table(title, "status", "payment status", "bookings", "fate", numbers=("bookings",))
    groups = Counter((outcome.states[b.booking_id], b.plan.fate.value) for b in bookings)
    for (state, fate), count in sorted(groups.items()):
        table.add_row(state.status, state.payment_status, str(count), fate)
    return table


def _payments(bookings: Sequence[PlayedBooking], outcome: Outcome) -> Table:
    amounts = ("captured", "refunded", "disputed")
    title = "What booking made of it: several events, one payment"
    table = _table(title, "fate", "provider", *amounts, "payment status", numbers=amounts)
    fates = {b.booking_id: b.plan.fate.value for b in bookings}
    for booking_id, payments in outcome.payments.items():
        for payment in payments:
            shown = [_amount(payment[name]) for name in amounts]
            status = outcome.states[booking_id].payment_status
            table.add_row(fates[booking_id], payment["provider"], *shown, status)
    return table


def _history(outcome: Outcome) -> Table:
    booking_id = outcome.history["booking_id"]
    table = _table(f"History of booking {booking_id}", "version", "from", "to", "by", "reason", "at")
    for step in outcome.history["history"]:
        table.add_row(
            str(step["version"]),
            step["from_status"] or "",
            step["to_status"],
            step["changed_by"],
            step["reason"] or "",
            _time(step["recorded_at"]),
        )
    refusal = "refused by trigger" if outcome.history_safe else "NOT REFUSED"
    table.caption = f"UPDATE of the history by the table owner: {refusal}"
    table.caption_justify = "left"
    return table


def _event_log(outcome: Outcome) -> Table:
    table = _table("EventLog", "event type", "status", "entries", numbers=("entries",))
    counts = Counter((entry["event_type"], entry["status"]) for entry in outcome.entries)
    for (event_type, status), count in sorted(counts.items()):
        table.add_row(event_type, status, str(count))
    return table


def _exceptions(corrupted: Mapping[str, Corruption], outcome: Outcome) -> Table:
    run = outcome.run
    table = _table(
        f"Exceptions after the reconciliation run: {run['scanned']} scanned, {run['clean']} clean, "
        f"{run['drifted']} drifted, {run['errored']} errored",
        "severity",
        "type",
        "booking",
        "explanation",
        "cause",
    )
    for item in outcome.exceptions["exceptions"]:
        corruption = corrupted.get(item["booking_id"])
        table.add_row(
            item["severity"],
            _kind(item),
            item["booking_id"][-12:],
            item["title"],
            corruption.name if corruption else "payment after the cancellation",
        )
    return table


def _worked(worked: Sequence[WorkedException]) -> Table:
    title = "Three exceptions worked off, and what the next run made of them"
    table = _table(title, "booking", "falsified", "what the operator did", "after the next run", "history")
    for each in worked:
        item = each.after
        status = f"{item['status']} ({item['resolution']})" if item["resolution"] else item["status"]
        back = ", came back" if item["regressions"] else ""
        history = " → ".join(step["kind"] for step in item["history"])
        booking = item["booking_id"][-12:]
        table.add_row(booking, each.task.corruption.name, each.task.did, status + back, history)
    return table


def _kind(item: Mapping[str, Any]) -> str:
    explanation: Mapping[str, Any] = item.get("explanation") or {}
    drift_class = item.get("class") or explanation.get("class")
    return f"{item['type']} ({drift_class})" if drift_class else str(item["type"])


def _time(text: str) -> str:
    return text[11:19]


def _amount(money: Mapping[str, Any]) -> str:
    return str(Money(money["amount"], money["currency"])) if money["amount"] else ""
