"""Exceptions on a terminal: the queue as a table, and one exception in full."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from chassis import clock
from chassis.postgres.stored_rows import UnreadableItem
from chassis.process.terminal import printable
from contracts.money import Money
from reconciler.api.responses import ExceptionDetail, ExceptionItem

ID_CHARACTERS = 8
_SEVERITY_STYLES = {"high": "bold red", "medium": "yellow", "low": ""}
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_TOTALS = (("snapshot", "stored (A)"), ("recomputed", "recomputed (B)"), ("charged", "charged (C)"))


def exception_table(items: Sequence[ExceptionItem | UnreadableItem], total: int) -> Table:
    """Return exceptions as a table; the ids are the ends that the commands take."""
    booking = Column("booking", no_wrap=True)
    table = Table(
        Column("id", no_wrap=True), "severity", "type", "status", booking, "age", "seen", "title", box=SIMPLE
    )
    for item in items:
        # Text and printable: a sender's text is no markup and does not steer the terminal.
        style = "" if "unreadable" in item else _SEVERITY_STYLES.get(item["severity"], "")
        id_, severity, *cells = (printable(cell) for cell in _cells(item))
        table.add_row(Text(id_), Text(severity, style=style), *(Text(cell) for cell in cells))
    shown = len(items)
    table.caption = f"{total} in all" if shown == total else f"{shown} of {total}, --limit shows more"
    return table


def _cells(item: ExceptionItem | UnreadableItem) -> Sequence[str]:
    if "unreadable" in item:
        end, damage = item["id"][-ID_CHARACTERS:], item["unreadable"]
        return end, "", "", "", item["id"], "", "", f"(exception's id) unreadable: {damage}"
    kind = f"{item['type']} ({item['class']})" if item["class"] else item["type"]
    status = f"{item['status']}: {item['assignee']}" if item["assignee"] else item["status"]
    age, seen = short_age(clock.now() - item["first_seen_at"]), str(item["occurrences"])
    id_, booking = item["id"][-ID_CHARACTERS:], item["booking_id"] or ""
    return id_, item["severity"], kind, status, booking, age, seen, item["title"]


def short_age(age: timedelta) -> str:
    """Return an age in its largest unit, such as 3d or 5h."""
    if age >= 2 * _DAY:
        return f"{age // _DAY}d"
    return f"{age // _HOUR}h" if age >= _HOUR else f"{max(age // _MINUTE, 0)}m"


def detail_tables(item: ExceptionDetail) -> Iterator[Table | str]:
    """Yield one exception in full: what it is, the amounts, the lines, the history."""
    explanation = item["explanation"]
    yield printable(item["title"])
    if sentence := explanation.get("sentence"):
        yield printable(str(sentence))
    for remark in explanation.get("remarks", []):
        yield f"- {printable(str(remark))}"
    if suggestion := explanation.get("suggestion"):
        yield f"What to do: {printable(str(suggestion['text']))}"
    yield _facts(item)
    currency = explanation.get("currency")
    if explanation.get("lines"):
        yield _lines(explanation["lines"], currency)
    yield _history(item)


def _facts(item: ExceptionDetail) -> Table:
    table = Table(show_header=False, box=SIMPLE)
    explanation = item["explanation"]
    totals: Mapping[str, Any] = explanation.get("totals") or {}
    facts: list[tuple[str, str]] = [
        ("exception", item["id"]),
        ("booking", item["booking_id"] or "-"),
        ("type", f"{item['type']} ({item['class']})" if item["class"] else item["type"]),
        ("severity", item["severity"]),
        ("status", item["status"]),
        ("assignee", item["assignee"] or "-"),
        (
            "seen",
            f"{item['occurrences']} times, {_time(item['first_seen_at'])} to {_time(item['last_seen_at'])}",
        ),
    ]
    facts += [(name, _amount(totals.get(key), explanation.get("currency"))) for key, name in _TOTALS]
    for name, value in facts:
        table.add_row(name, Text(printable(value)))
    return table


def _lines(lines: Sequence[Mapping[str, Any]], currency: str | None) -> Table:
    table = Table("line", *(Column(name, justify="right") for name in ("stored", "recomputed", "difference")))
    table.box = SIMPLE
    columns = ("snapshot", "recomputed", "difference")
    for line in lines:
        amounts = (_amount(line.get(name), currency) for name in columns)
        table.add_row(Text(printable(str(line.get("code", "")))), *amounts)
    sums = [sum(int(line.get(name) or 0) for line in lines) for name in columns]
    table.add_section()
    table.add_row("total", *(_amount(value, currency) for value in sums))
    return table


def _history(item: ExceptionDetail) -> Table:
    table = Table("when", "step", "by", "what", box=SIMPLE)
    for entry in item["history"]:
        if "unreadable" in entry:
            table.add_row("", "unreadable", "", Text(printable(entry["unreadable"])))
            continue
        reason = "(erased)" if entry["reason_erased"] else entry["reason"]
        details = ", ".join(f"{key} {value}" for key, value in (entry["details"] or {}).items() if value)
        what = ": ".join(part for part in (details, reason) if part)
        table.add_row(
            _time(entry["recorded_at"]), entry["kind"], Text(printable(entry["actor"])), Text(printable(what))
        )
    return table


def _amount(value: int | None, currency: str | None) -> str:
    if value is None:
        return "-"
    return str(Money(value, currency)) if currency else str(value)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
