"""Queries of causes: exceptions grouped by what they share (REC-9a)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters.exception_conditions import condition_of
from reconciler.domain.clocks import Reading
from reconciler.domain.filters import ExceptionFilter, GroupPosition

# Sizes of several currencies are added for the order of the groups alone; those of unknown amount are last.
_GROUPS = """
WITH of_currency AS (
    SELECT
        cause, currency, count(*) AS exceptions, sum(amount) AS amount, sum(abs(amount)) AS stake,
        min(severity_rank) AS severity_rank, min(first_seen_at) AS first_seen_at,
        max(last_seen_at) AS last_seen_at
    FROM exception WHERE {condition} GROUP BY cause, currency
),
by_cause AS (
    SELECT
        cause, sum(exceptions)::bigint AS exceptions, coalesce(sum(stake), -1) AS stake,
        min(severity_rank) AS severity_rank, min(first_seen_at) AS first_seen_at,
        max(last_seen_at) AS last_seen_at,
        coalesce(
            jsonb_object_agg(currency, amount) FILTER (WHERE currency <> '' AND amount IS NOT NULL), '{{}}'
        ) AS sums
    FROM of_currency GROUP BY cause
)
"""

_PAGE = """
{groups}, page AS (
    SELECT * FROM by_cause WHERE {after} ORDER BY stake DESC, exceptions DESC, cause DESC LIMIT {rows_max}
)
SELECT
    page.cause, page.exceptions, page.stake, page.sums, page.severity_rank, page.first_seen_at,
    oldest.type, oldest.drift_class, oldest.line, oldest.rate_card, oldest.engine,
    sign(oldest.amount)::bigint AS sign, page.last_seen_at,
    first_bad.id AS first_bad_id, first_bad.started_at AS first_bad_started_at,
    last_good.id AS last_good_id, last_good.started_at AS last_good_started_at
FROM page
CROSS JOIN LATERAL (
    SELECT * FROM exception WHERE cause = page.cause AND {condition} ORDER BY first_seen_at, id LIMIT 1
) AS oldest
LEFT JOIN LATERAL (
    SELECT run_id FROM exception_event WHERE exception_id = oldest.id ORDER BY id LIMIT 1
) AS first_event ON true
LEFT JOIN run AS first_bad ON first_bad.id = first_event.run_id
LEFT JOIN LATERAL (
    SELECT id, started_at FROM run
    WHERE status = 'completed' AND scope = 'all' AND NOT is_dry_run AND started_at < first_bad.started_at
    ORDER BY started_at DESC LIMIT 1
) AS last_good ON true
ORDER BY stake DESC, exceptions DESC, cause DESC
"""

_COUNT = """
{groups} SELECT count(*) AS groups, coalesce(sum(exceptions), 0)::bigint AS exceptions FROM by_cause
"""


_SAME = (
    "cause", "type", "drift_class", "line", "sign", "rate_card", "engine", "severity_rank", "exceptions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunReference:
    """A run and when it began."""

    id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """Exceptions of one cause.

    Attributes:
        cause: key of the group.
        sign: of the amounts: -1, 0 or 1; None if unknown.
        sums: signed, in minor units, by currency.
        first_bad_run: the run that first saw one of them; None if another service reported it.
        last_good_run: the newest completed run over all bookings before that one.
    """

    cause: str
    type: str
    drift_class: str | None
    line: str | None
    sign: int | None
    rate_card: str | None
    engine: str | None
    severity_rank: int
    exceptions: int
    sums: dict[str, int]
    first_bad_run: RunReference | None
    last_good_run: RunReference | None
    first_seen_at: datetime
    last_seen_at: datetime
    position: GroupPosition


async def list_groups(
    connection: Connection,
    query: ExceptionFilter,
    reading: Reading,
    *,
    after: GroupPosition | None,
    rows_max: int,
) -> Sequence[GroupRecord | UnreadableRow]:
    """Return the groups of a filter's exceptions, most at stake first, after a position."""
    condition = condition_of(query, reading)
    arguments: list[Any] = [*condition.arguments, rows_max]
    rows_max_at, place = len(arguments), "true"
    if after is not None:
        arguments += [Decimal(after.stake), after.exceptions, after.cause]
        first = rows_max_at + 1
        place = f"(stake, exceptions, cause) < (${first}, ${first + 1}, ${first + 2})"
    groups = _GROUPS.format(condition=condition.sql)
    statement = _PAGE.format(groups=groups, condition=condition.sql, after=place, rows_max=f"${rows_max_at}")
    rows = await stored_rows.fetch(connection, statement, *arguments, key="cause")
    return stored_rows.read_rows(rows, _group, key="cause", position=lambda row: _position(row).to_key())


async def count_groups(connection: Connection, query: ExceptionFilter, reading: Reading) -> tuple[int, int]:
    """Return the number of groups and of their exceptions, over all pages."""
    condition = condition_of(query, reading)
    groups = _GROUPS.format(condition=condition.sql)
    [row] = await connection.fetch(_COUNT.format(groups=groups), *condition.arguments)
    return row["groups"], row["exceptions"]


def _group(row: asyncpg.Record) -> GroupRecord:
    same = (
        "cause",
        "type",
        "drift_class",
        "line",
        "sign",
        "rate_card",
        "engine",
        "severity_rank",
        "exceptions",
    )
    return GroupRecord(
        **{name: row[name] for name in same},
        sums=json.loads(row["sums"]),
        first_bad_run=_run(row, "first_bad"),
        last_good_run=_run(row, "last_good"),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        position=_position(row),
    )


def _run(row: asyncpg.Record, name: str) -> RunReference | None:
    run_id = row[f"{name}_id"]
    return None if run_id is None else RunReference(str(run_id), row[f"{name}_started_at"])


def _position(row: asyncpg.Record) -> GroupPosition:
    return GroupPosition(str(row["stake"]), row["exceptions"], row["cause"])
