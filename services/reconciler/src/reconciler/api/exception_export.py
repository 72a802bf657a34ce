"""Route of the export: exactly the exceptions of a filter or view, as CSV or NDJSON (REC-9d)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

import msgspec
from litestar import get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from chassis import clock
from chassis.http.openapi.problems import refuses
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.api.exception_filter import SELECTION_REFUSALS
from reconciler.api.responses import ExceptionItem, exception_items
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.spreadsheet import Cell, to_csv
from reconciler.handlers import queries

Format = Annotated[Literal["csv", "ndjson"], QueryParameter(name="format")]
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "ndjson": "application/x-ndjson"}

COLUMNS = (
    "id", "type", "class", "severity", "status", "waiting", "booking_id", "title", "amount", "currency",
    "snapshot", "recomputed", "charged", "assignee", "occurrences", "revision", "version", "regressions",
    "escalated_at", "first_seen_at", "last_seen_at", "acknowledge_due_at", "resolve_due_at", "overdue",
    "cause", "suppressed_until", "suppressed_beyond", "suppressed_occurrences", "proposed_code",
    "proposed_by", "proposed_up_to", "resolution", "resolved_by", "resolved_by_machine", "resolved_at",
    "resolved_up_to", "unreadable",
)  # fmt: skip
"""Of the CSV, in order. Further ones are added at the end."""


@get(
    "/api/exceptions/export",
    summary="All exceptions of a filter or view, as CSV or NDJSON",
    media_type="text/csv",
    response_headers=[ResponseHeader("Content-Disposition", documentation_only=True, required=True)],
    responses={200: ResponseSpec(str, media_type="text/csv", generate_examples=False)},
    opt=refuses({**SELECTION_REFUSALS, **READ_REFUSALS}),
)
async def export_exceptions(
    exports: NamedDependency[Database],
    targets: NamedDependency[Targets],
    selected: NamedDependency[ExceptionFilter],
    form: Format = "csv",
) -> Stream:
    """Stream the exceptions in the order of the list, of one moment.

    NDJSON has the items of the list, one a line. In CSV, texts that a spreadsheet would execute begin with an
    apostrophe. An export that breaks off ends without the last chunk of HTTP.
    """
    now = clock.now()
    reading = Reading(now, targets)
    chunks = export_chunks(queries.export_exceptions(exports, selected, reading), reading, form)
    first = await anext(chunks, b"")  # an error before the first chunk is still answered as a problem
    name = f"exceptions-{now:%Y-%m-%dT%H-%M-%SZ}.{form}"
    return Stream(
        _after(first, chunks),
        media_type=_MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


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


async def _after(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk


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
