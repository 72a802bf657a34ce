"""Exceptions on a terminal: the queue as a table, and one exception in full."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from chassis import clock
from chassis.postgres.stored_rows import UnreadableItem
from chassis.process.tables import Cell, Column, Facts, Table, number
from chassis.process.terminal import printable
from contracts.money import Money
from reconciler.api.group_responses import GroupItem
from reconciler.api.responses import ExceptionDetail, ExceptionItem

ID_CHARACTERS = 8
_SEVERITY_STYLES = {"high": "bold red", "medium": "yellow", "low": ""}
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_DUE = (("acknowledge_due_at", "acknowledge by"), ("resolve_due_at", "resolve by"))
_DETAILS = {
    "resolution": "{}",
    "up_to": "up to {}",
    "assignee": "to {}",
    "until": "until {}",
    "beyond": "until beyond {}",
    "occurrences": "until seen {} times more",
    "reverts": "takes back {}",
    "waiting": "for {}",
}
_TOTALS = (("snapshot", "stored (A)"), ("recomputed", "recomputed (B)"), ("charged", "charged (C)"))


def exception_table(items: Sequence[ExceptionItem | UnreadableItem], total: int) -> Table:
    """Return exceptions as a table; the ids are the ends that the commands take, or whole if damaged."""
    table = Table(
        Column("id"),
        Column("severity"),
        Column("type", leaves=3),
        Column("status"),
        Column("assignee", leaves=4),
        Column("booking", leaves=1),
        Column("age", right=True),
        Column("seen", right=True, leaves=2),
        Column("title and remarks", wraps=36),
        empty="no exception waits",
    )
    for item in items:
        if "unreadable" in item:
            table.add_damaged(item["id"], item["unreadable"])
        else:
            table.add(*_cells(item))
    table.count(len(items), total, "exceptions")
    return table


def group_table(items: Sequence[GroupItem | UnreadableItem], total: int) -> Table:
    """Return causes as a table; `--where cause=…` takes the first column."""
    table = Table(
        Column("cause"),
        Column("severity", leaves=3),
        Column("type", wraps=24),
        Column("line", leaves=2),
        Column("card and engine", leaves=1),
        Column("last good run", leaves=4),
        Column("first bad run", leaves=5),
        Column("count", right=True),
        Column("together", right=True),
        empty="no exception waits",
    )
    for item in items:
        if "unreadable" in item:
            table.add_damaged(item["id"], item["unreadable"])
            continue
        made_by = " ".join(part for part in (item["rate_card"], item["engine"]) if part)
        sums = ", ".join(sums_texts(item["sums"]))
        runs = (item["last_good_run"], item["first_bad_run"])
        times = ("-" if run is None else _time(run["started_at"]) for run in runs)
        cells = (_kind(item), item["line"] or "", made_by, *times, number(item["count"]), sums or "-")
        table.add(item["cause"], _severity(item), *cells)
    table.count(len(items), total, "causes")
    return table


def sums_texts(sums: Mapping[str, int]) -> list[str]:
    """Return sums in minor units, by currency, as texts."""
    return [str(Money(amount, currency)) for currency, amount in sorted(sums.items())]


def _severity(item: ExceptionItem | GroupItem) -> Text:
    return Text(item["severity"], style=_SEVERITY_STYLES.get(item["severity"], ""))


def _kind(item: ExceptionItem | GroupItem) -> str:
    return f"{item['type']} ({item['class']})" if item["class"] else item["type"]


def _cells(item: ExceptionItem) -> Sequence[Cell]:
    age, seen = short_age(clock.now() - item["first_seen_at"]), number(item["occurrences"])
    texts = [item["title"], *_marks(item)]
    texts += [
        text for remark in item["explanation"].get("remarks", []) if (text := str(remark)) not in texts[0]
    ]
    assigned, booking = item["assignee"] or "", item["booking_id"] or ""
    cells = _kind(item), item["status"], assigned, booking, age, seen, "; ".join(texts)
    return item["id"][-ID_CHARACTERS:], _severity(item), *cells


def _marks(item: ExceptionItem) -> Iterator[str]:
    """Yield the facts of the workflow that make an exception more urgent than its status says."""
    if item["regressions"]:
        yield "regressed"
    if item["escalated_at"]:
        yield "escalated"
    if item["clock"]["overdue"]:
        yield "overdue"


def short_age(age: timedelta) -> str:
    """Return an age in its largest unit, such as 3d or 5h."""
    if age >= 2 * _DAY:
        return f"{age // _DAY}d"
    return f"{age // _HOUR}h" if age >= _HOUR else f"{max(age // _MINUTE, 0)}m"


def detail_tables(item: ExceptionDetail) -> Iterator[Table | Facts | str]:
    """Yield one exception in full: what it is, the amounts, the lines, the history."""
    explanation = item["explanation"]
    yield printable(item["title"])
    if sentence := explanation.get("sentence"):
        yield printable(str(sentence))
    for remark in map(str, explanation.get("remarks", [])):
        if remark not in f"{item['title']}\n{explanation.get('sentence')}":
            yield f"- {printable(remark)}"
    if suggestion := explanation.get("suggestion"):
        yield f"What to do: {printable(str(suggestion['text']))}"
    yield _facts(item)
    currency = explanation.get("currency")
    if explanation.get("lines"):
        yield _lines(explanation["lines"], currency)
    yield _history(item)


def _facts(item: ExceptionDetail) -> Facts:
    record = Facts()
    explanation = item["explanation"]
    totals: Mapping[str, Any] = explanation.get("totals") or {}
    seen = "once" if item["occurrences"] == 1 else f"{number(item['occurrences'])} times"
    since = f"{_time(item['first_seen_at'])} to {_time(item['last_seen_at'])}"
    facts: list[tuple[str, str]] = [
        ("exception", item["id"]),
        ("booking", item["booking_id"] or "-"),
        ("type", _kind(item)),
        ("severity", item["severity"]),
        ("status", item["status"]),
        ("assignee", item["assignee"] or "-"),
        ("seen", f"{seen}, {since}"),
    ]
    if item["waiting"]:
        facts.append(("waiting", f"for {item['waiting']}: it may pass by itself"))
    if proposal := item["proposal"]:
        facts.append(("proposed", proposal_text(proposal["code"], proposal["by"])))
    facts += [(name, _time(due)) for key, name in _DUE if (due := item["clock"].get(key))]
    if payment := explanation.get("provider_payment_id"):
        facts.append(("payment", str(payment)))
    facts += [(name, _amount(totals.get(key), explanation.get("currency"))) for key, name in _TOTALS]
    for name, value in facts:
        record.add(name, value)
    return record


def _lines(lines: Sequence[Mapping[str, Any]], currency: str | None) -> Table:
    names = ("stored", "recomputed", "difference")
    table = Table(
        Column("line"), *(Column(name, right=True) for name in names), empty="the price has no line"
    )
    columns = ("snapshot", "recomputed", "difference")
    for line in lines:
        amounts = (_amount(line.get(name), currency) for name in columns)
        table.add(str(line.get("code", "")), *amounts)
    sums = [sum(int(line.get(name) or 0) for line in lines) for name in columns]
    table.add_total("total", *(_amount(value, currency) for value in sums))
    return table


def proposal_text(code: str, by: str) -> str:
    """Return in words that a resolution waits for a second person."""
    return f"{code} by {by}; another person has to resolve it so too"


def _history(item: ExceptionDetail) -> Table:
    currency = item["amount"]["currency"] if item["amount"] else item["explanation"].get("currency")
    table = Table(
        Column("when"),
        Column("step"),
        Column("by"),
        Column("what", wraps=30),
        empty="nothing is recorded of it",
    )
    for entry in item["history"]:
        if "unreadable" in entry:
            table.add_damaged(entry["id"], entry["unreadable"])
            continue
        reason = "(erased)" if entry["reason_erased"] else entry["reason"]
        what = ": ".join(part for part in (_details(entry["details"] or {}, currency), reason) if part)
        table.add(_time(entry["recorded_at"]), entry["kind"], entry["actor"], what)
    return table


def _details(details: Mapping[str, Any], currency: str | None) -> str:
    """Return in words what a step set, with amounts in the exception's currency."""
    values = {
        name: _amount(value, currency) if name in ("up_to", "beyond") and isinstance(value, int) else value
        for name, value in details.items()
    }
    return ", ".join(words.format(values[name]) for name, words in _DETAILS.items() if values.get(name))


def _amount(value: int | None, currency: str | None) -> str:
    if value is None:
        return "-"
    return str(Money(value, currency)) if currency else str(value)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
