"""Tables `exception_view` and `exception_view_default`: named filters (REC-9d)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.postgres import Connection

_COLUMNS = """
    id, name, filter, owner, is_shared, created_at,
    EXISTS (SELECT FROM exception_view_default WHERE person = $1 AND view_id = id) AS is_default
"""

_VISIBLE = f"SELECT {_COLUMNS} FROM exception_view WHERE (owner = $1 OR is_shared)"  # noqa: S608 - a constant
_LIST = f"{_VISIBLE} AND ($2::text IS NULL OR (name, id) > ($2, $3)) ORDER BY name, id LIMIT $4"
_GET = f"{_VISIBLE} AND id = $2"

# A name that the owner has already inserts nothing.
_INSERT = """
INSERT INTO exception_view (id, name, filter, owner, is_shared, created_at)
SELECT $1, $2, $3::jsonb, $4, $5, $6
ON CONFLICT (owner, name) DO NOTHING
RETURNING id
"""

_SET_DEFAULT = """
INSERT INTO exception_view_default (person, view_id) VALUES ($1, $2)
ON CONFLICT (person) DO UPDATE SET view_id = excluded.view_id
"""


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """A named filter.

    Attributes:
        filter: members as in a query string.
        is_default: the reader sees it first.
    """

    id: str
    name: str
    filter: Mapping[str, Any]
    owner: str
    is_shared: bool
    created_at: datetime
    is_default: bool


async def list_visible(
    connection: Connection, person: str, *, after: tuple[str, str] | None, rows_max: int
) -> Sequence[ViewRecord]:
    """Return a person's views and the shared ones, by name, after a name and id."""
    name, view_id = (None, None) if after is None else (after[0], UUID(after[1]))
    return [_view(row) for row in await connection.fetch(_LIST, person, name, view_id, rows_max)]


async def get_visible(connection: Connection, view_id: UUID, person: str) -> ViewRecord | None:
    """Return a view that is the person's or shared; None for another."""
    row = await connection.fetchrow(_GET, person, view_id)
    return None if row is None else _view(row)


async def count_own(connection: Connection, person: str) -> int:
    return await connection.fetchval("SELECT count(*) FROM exception_view WHERE owner = $1", person)


async def insert(connection: Connection, view: ViewRecord) -> bool:
    """Insert a view; return False if its owner has one of this name."""
    inserted = await connection.fetchval(
        _INSERT,
        UUID(view.id),
        view.name,
        json.dumps(view.filter),
        view.owner,
        view.is_shared,
        view.created_at,
    )
    return inserted is not None


async def set_default(connection: Connection, person: str, view_id: UUID) -> None:
    await connection.execute(_SET_DEFAULT, person, view_id)


async def delete(connection: Connection, view_id: UUID) -> None:
    await connection.execute("DELETE FROM exception_view WHERE id = $1", view_id)


def _view(row: asyncpg.Record) -> ViewRecord:
    columns = {name: row[name] for name in ("name", "owner", "is_shared", "created_at", "is_default")}
    return ViewRecord(id=str(row["id"]), filter=json.loads(row["filter"]), **columns)
