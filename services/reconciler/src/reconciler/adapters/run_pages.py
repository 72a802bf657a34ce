"""Tables `run_page` and `run_page_sum`: records of a run's pages, which check its totals (REC-7)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from reconciler.domain.counts import OutcomeSum, PageCounts
from reconciler.domain.run_check import COUNTS, SUMS, RunFigures

_INSERT = """
WITH page AS (
    INSERT INTO run_page (
        run_id, page, after_booking_id, last_booking_id, scanned, clean, drifted, skipped, errored
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    RETURNING run_id, page
)
INSERT INTO run_page_sum (run_id, page, outcome, currency, snapshot, recomputed, charged, drift)
SELECT page.run_id, page.page, of_outcome.*
FROM page, unnest(
    $10::text[], $11::text[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[]
) AS of_outcome
"""

_KEPT = "SELECT pages, scanned, clean, drifted, skipped, errored FROM run WHERE id = $1 FOR UPDATE"
_KEPT_SUMS = """
SELECT currency, snapshot, recomputed, charged, recomputed - snapshot AS drift FROM run_sum WHERE run_id = $1
"""
_BY_PAGE = """
SELECT
    count(*) AS pages,
    coalesce(sum(scanned), 0)::bigint AS scanned,
    coalesce(sum(clean), 0)::bigint AS clean,
    coalesce(sum(drifted), 0)::bigint AS drifted,
    coalesce(sum(skipped), 0)::bigint AS skipped,
    coalesce(sum(errored), 0)::bigint AS errored
FROM run_page WHERE run_id = $1
"""
_SUMS_BY_PAGE = """
SELECT
    currency,
    sum(snapshot) AS snapshot,
    sum(recomputed) AS recomputed,
    sum(charged) AS charged,
    sum(drift) AS drift
FROM run_page_sum WHERE run_id = $1 GROUP BY currency
"""
_BREAKS = """
SELECT count(*)
FROM (
    SELECT
        page,
        after_booking_id,
        row_number() OVER in_order AS position,
        lag(last_booking_id) OVER in_order AS before
    FROM run_page WHERE run_id = $1
    WINDOW in_order AS (ORDER BY page)
) AS walk
WHERE after_booking_id IS DISTINCT FROM before OR page <> position
"""

_DELETE = "DELETE FROM run_page WHERE run_id = $1"


async def record(
    connection: Connection,
    run_id: str,
    page: int,
    *,
    after: str | None,
    reached: str,
    rows: int,
    counts: PageCounts,
    sums: Sequence[OutcomeSum],
) -> None:
    """Record a page in its transaction.

    Args:
        connection: in the page's transaction.
        run_id: the run.
        page: its number, from 1.
        after: the cursor before the page.
        reached: the cursor after it.
        rows: rows that the view returned.
        counts: by outcome.
        sums: by outcome and currency.
    """
    status = await connection.execute(
        _INSERT,
        *(UUID(run_id), page, None if after is None else UUID(after), UUID(reached)),
        *(rows, counts.clean, counts.drifted, counts.skipped, counts.errored),
        [each.outcome for each in sums],
        [each.currency for each in sums],
        *([getattr(each, name) for each in sums] for name in SUMS),
    )
    require_written("run_page_sum", int(status.removeprefix("INSERT 0 ")), len(sums))


async def figures(connection: Connection, run_id: str) -> tuple[RunFigures, RunFigures, int] | None:
    """Return the totals that the run keeps, those over its pages, and the number of breaks between pages.

    Return None if the run began before its pages were recorded.
    """
    identifier = UUID(run_id)
    kept = await connection.fetchrow(_KEPT, identifier)
    if kept is None or kept["pages"] is None:
        return None
    by_page = await connection.fetchrow(_BY_PAGE, identifier)
    assert by_page is not None, "an aggregate has a row"
    return (
        _figures(kept, await connection.fetch(_KEPT_SUMS, identifier)),
        _figures(by_page, await connection.fetch(_SUMS_BY_PAGE, identifier)),
        await connection.fetchval(_BREAKS, identifier),
    )


async def delete(connection: Connection, run_id: str) -> None:
    """Delete the records of a run that was checked or cancelled."""
    await connection.execute(_DELETE, UUID(run_id))


def _figures(counts: asyncpg.Record, sums: Sequence[asyncpg.Record]) -> RunFigures:
    by_currency: defaultdict[str, Mapping[str, int]] = defaultdict(dict)
    for row in sums:
        by_currency[row["currency"]] = {name: int(row[name]) for name in SUMS}
    return RunFigures(counts["pages"], {name: counts[name] for name in COUNTS}, dict(by_currency))
