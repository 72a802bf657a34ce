"""Exceptions of a selection: a filter, or ids (REC-9b)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, stored_rows
from chassis.postgres.stored_rows import UnreadableRow
from reconciler.adapters.exception_conditions import Condition, condition_of
from reconciler.adapters.exception_rows import STATE_COLUMNS, read_state
from reconciler.domain.clocks import Reading
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.operations import Selection

_SELECT = """
SELECT {columns}, title FROM exception WHERE {condition}
ORDER BY severity_rank, first_seen_at, id LIMIT ${number}
"""

_UNKNOWN = """
SELECT wanted.id FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, position)
WHERE NOT EXISTS (SELECT FROM exception WHERE exception.id = wanted.id)
ORDER BY position LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class SelectedException:
    """One exception of a selection; `amount` is signed, in minor units of the state's currency."""

    state: ExceptionState
    title: str
    amount: int | None


def condition(selection: Selection, reading: Reading) -> Condition:
    """Return the condition that the selection's exceptions meet, and no others."""
    if selection.ids is not None:
        return Condition("id = ANY($1::uuid[])", ([UUID(each) for each in selection.ids],))
    return condition_of(selection.query or ExceptionFilter(), reading)


async def select(
    connection: Connection, condition: Condition, *, rows_max: int
) -> list[SelectedException | UnreadableRow]:
    """Return the selected exceptions, high first, then oldest first. A damaged row is marked."""
    number = len(condition.arguments) + 1
    statement = _SELECT.format(columns=STATE_COLUMNS, condition=condition.sql, number=number)
    rows = await stored_rows.fetch(connection, statement, *condition.arguments, rows_max, key="id")
    return stored_rows.read_rows(rows, _read, key="id")


async def first_unknown(connection: Connection, exception_ids: Sequence[str]) -> str | None:
    """Return the first id that no exception has; None if all are known."""
    unknown = await connection.fetchval(_UNKNOWN, [UUID(each) for each in exception_ids])
    return None if unknown is None else str(unknown)


def _read(row: asyncpg.Record) -> SelectedException:
    amount = None if row["amount"] is None else int(row["amount"])
    return SelectedException(read_state(row), row["title"], amount)
