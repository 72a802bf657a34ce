"""The export of exceptions as bytes, over HTTP and of `reconciler exceptions` (REC-9d)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.api.responses import ExceptionItem, exception_items
from reconciler.domain.clocks import Reading
from reconciler.domain.spreadsheet import Cell, to_csv

COLUMNS = (
    "id", "type", "class", "severity", "status", "waiting", "booking_id", "title", "amount", "currency",
    "snapshot", "recomputed", "charged", "assignee", "occurrences", "revision", "version", "regressions",
    "escalated_at", "first_seen_at", "last_seen_at", "acknowledge_due_at", "resolve_due_at", "overdue",
    "cause", "suppressed_until", "suppressed_beyond", "suppressed_occurrences", "proposed_code",
    "proposed_by", "proposed_up_to", "resolution", "resolved_by", "resolved_by_machine", "resolved_at",
    "resolved_up_to", "unreadable",
)  # fmt: skip
"""Of the CSV, in order. Further ones are added at the end."""


async def export_chunks(
    pages: AsyncGenerator[Sequence[ExceptionRecord | UnreadableRow]], reading: Reading, form: str
) -> AsyncGenerator[bytes]:
    """Yield an export, `csv` or `ndjson`, page by page."""
    async with aclosing(pages):
        if form == "csv":
            first = await anext(pages, ())
            yield (to_csv([COLUMNS]) + _csv(exception_items(first, reading))).encode()
        async for page in pages:
            items = exception_items(page, reading)
            yield _csv(items).encode() if form == "csv" else _ndjson(items)


def _ndjson(items: Sequence[ExceptionItem | UnreadableItem]) -> bytes:
    return b"".join(msgspec.json.encode(item) + b"\n" for item in items)


def _csv(items: Sequence[ExceptionItem | UnreadableItem]) -> str:
    rows = (_cells(item) for item in items)
    return to_csv([cells.get(column) for column in COLUMNS] for cells in rows)


def _cells(item: ExceptionItem | UnreadableItem) -> Mapping[str, Cell]:
    if "unreadable" in item:
        return {"id": item["id"], "unreadable": item["unreadable"]}
    cells: dict[str, Any] = {**item, **item["clock"], **(item["amount"] or {"amount": None})}
    cells |= _prefixed("suppressed", item["suppression"])
    cells |= _prefixed("resolved", item["resolution_details"])
    cells |= _prefixed("proposed", item["proposal"])
    totals: dict[str, Any] = item["explanation"].get("totals", {})
    return cells | {name: totals.get(name) for name in ("snapshot", "recomputed", "charged")}


def _prefixed(prefix: str, members: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in (members or {}).items()}
