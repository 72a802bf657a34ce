"""Route of causes: exceptions grouped by what they share (REC-9a)."""

from litestar import get
from litestar.di import NamedDependency

from chassis import clock
from chassis.http.openapi.problems import refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from reconciler.adapters.exception_groups import GroupRecord
from reconciler.api.exception_filter import SELECTION_REFUSALS
from reconciler.api.filters import Cursor, Limit, parse_group_cursor
from reconciler.api.group_responses import GroupPage, group_items
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.filters import ExceptionFilter
from reconciler.handlers import queries


@get(
    "/api/exception-groups",
    summary="Exceptions by cause, most at stake first",
    opt=refuses({**SELECTION_REFUSALS, **READ_REFUSALS}),
)
async def list_exception_groups(
    searches: NamedDependency[Database],
    targets: NamedDependency[Targets],
    selected: NamedDependency[ExceptionFilter],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: Cursor = None,
) -> GroupPage:
    """Group the exceptions of the filter by type, class, line, sign, rate card and engine version."""
    of = ("exception-groups", selected)
    groups = await queries.list_groups(
        searches,
        selected,
        Reading(clock.now(), targets),
        after=parse_group_cursor(cursor, of),
        rows_max=limit + 1,
    )
    rows = page(groups.rows, limit=limit, key=_key, of=of)
    return {
        "items": group_items(rows["items"]),
        "summary": {"groups": groups.groups, "total": groups.exceptions},
        "next_cursor": rows["next_cursor"],
    }


def _key(row: GroupRecord | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return row.position if isinstance(row, UnreadableRow) else row.position.to_key()
