"""Rows that were changed behind the service: an unreadable row is marked, and the others are shown.

Lists use `fetch`, `read_rows` and `show_rows`. A row becomes an `UnreadableRow` if the driver cannot decode
it, if our types cannot hold it, or if it does not have the documented form. Single rows use `fetch_one`,
`read_row` and `show_row`, which raise instead.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict, TypeVar

import asyncpg
import msgspec

from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection

_log = get_logger(__name__)

PROBLEM_CHARACTERS_MAX = 200

KeyPart = str | int

ValueT = TypeVar("ValueT")
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A stored row that cannot be shown.

    Attributes:
        id: of the row.
        problem: what is wrong with the row, in one line.
        position: sort key of the row in its list; None if it cannot be read either.
    """

    id: str
    problem: str
    position: tuple[KeyPart, ...] | None = None


class UnreadableItem(TypedDict):
    """Item of a list in place of a stored row that cannot be shown. `unreadable` says why."""

    id: str
    unreadable: str


class UnreadableRowError(Exception):
    """A row was changed behind the service and cannot be shown. Restore the row from a backup."""

    def __init__(self, row: UnreadableRow) -> None:
        super().__init__(
            f"the stored row {row.id} cannot be read: {row.problem}; it was changed behind the service,"
            " restore it from a backup"
        )
        self.row = row


async def fetch(
    connection: Connection, query: str, *arguments: object, key: str
) -> list[asyncpg.Record | UnreadableRow]:
    """Fetch rows. Mark a row that the driver cannot decode, such as one with a time in the year 20000.

    Args:
        connection: any.
        query: one SELECT; it may end with ORDER BY and LIMIT.
        arguments: of the query.
        key: column of the query that identifies a row.
    """
    try:
        return list(await connection.fetch(query, *arguments))
    except (ValueError, OverflowError) as error:
        _refuse_other(error)
    select_keys = f"SELECT item.{key}::text AS key FROM ({query}) AS item"  # noqa: S608 - constants of the caller
    keys = [row["key"] for row in await connection.fetch(select_keys, *arguments)]
    rows = await _fetch_by_halves(connection, query, arguments, key, keys)
    return [rows[each] for each in keys if each in rows]


async def fetch_one(connection: Connection, query: str, *arguments: object) -> asyncpg.Record | None:
    """Fetch the row whose id is the last argument of the query; None if there is none.

    Raises:
        UnreadableRowError: the driver cannot decode the row.
    """
    try:
        return await connection.fetchrow(query, *arguments)
    except (ValueError, OverflowError) as error:
        _refuse_other(error)
        raise UnreadableRowError(_mark(str(arguments[-1]), error)) from error


def read_rows(
    rows: Sequence[asyncpg.Record | UnreadableRow],
    read: Callable[[asyncpg.Record], ValueT],
    *,
    key: str,
    position: Callable[[asyncpg.Record], tuple[KeyPart, ...]] | None = None,
) -> list[ValueT | UnreadableRow]:
    """Convert rows to values. Mark a row for which `read` raises."""

    def read_or_mark(row: asyncpg.Record | UnreadableRow) -> ValueT | UnreadableRow:
        if isinstance(row, UnreadableRow):
            return row
        try:
            if position is not None:
                position(row)  # a page must be able to end at each row
            return read(row)
        except Exception as error:  # noqa: BLE001 - any error concerns this row alone, and is shown
            return _mark(str(row[key]), error, _position(row, position))

    return [read_or_mark(row) for row in rows]


def read_row(row: asyncpg.Record, read: Callable[[asyncpg.Record], ValueT], *, key: str) -> ValueT:
    """Convert one row to its value.

    Raises:
        UnreadableRowError: `read` raised.
    """
    try:
        return read(row)
    except Exception as error:
        raise UnreadableRowError(_mark(str(row[key]), error)) from error


def show_rows(
    values: Sequence[ValueT | UnreadableRow],
    show: Callable[[ValueT], ItemT],
    form: type[ItemT],
    *,
    key: Callable[[ValueT], object],
) -> list[ItemT | UnreadableItem]:
    """Convert values to items of a response. Mark a value that does not have the documented form."""
    items = _shown_at_once(values, show, form)
    if items is not None:
        return items

    def show_or_mark(value: ValueT | UnreadableRow) -> ItemT | UnreadableItem:
        if isinstance(value, UnreadableRow):
            return _unreadable(value)
        try:
            return _shown(value, show, form)
        except Exception as error:  # noqa: BLE001 - any error concerns this row alone, and is shown
            return _unreadable(_mark(str(key(value)), error))

    return [show_or_mark(value) for value in values]


def show_row(
    value: ValueT, show: Callable[[ValueT], ItemT], form: type[ItemT], *, key: Callable[[ValueT], object]
) -> ItemT:
    """Convert one value to an item of a response.

    Raises:
        UnreadableRowError: the value does not have the documented form.
    """
    try:
        return _shown(value, show, form)
    except Exception as error:
        raise UnreadableRowError(_mark(str(key(value)), error)) from error


def _shown_at_once(
    values: Sequence[ValueT | UnreadableRow], show: Callable[[ValueT], ItemT], form: type[ItemT]
) -> list[ItemT | UnreadableItem] | None:
    """Return the items if all of them have the documented form already, else None. Fast.

    Values that get this form only as JSON, such as times, are shown one by one.
    """
    if any(isinstance(value, UnreadableRow) for value in values):
        return None
    readable: Any = values
    try:
        items: list[Any] = list(map(show, readable))
        msgspec.convert(items, list[form])
    except Exception:  # noqa: BLE001 - the caller finds the value, and marks it
        return None
    return items


def _shown(value: ValueT, show: Callable[[ValueT], ItemT], form: type[ItemT]) -> ItemT:
    item = show(value)
    _decoder(form).decode(msgspec.json.encode(item))
    return item


@cache
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(form)


async def _fetch_by_halves(
    connection: Connection, query: str, arguments: Sequence[object], key: str, keys: Sequence[str]
) -> dict[str, asyncpg.Record | UnreadableRow]:
    """Fetch rows by halves, until each row that cannot be decoded is alone."""
    if not keys:
        return {}
    select_rows = (
        f"SELECT * FROM ({query}) AS item WHERE item.{key}::text = ANY(${len(arguments) + 1}::text[])"  # noqa: S608 - constants of the caller
    )
    try:
        return {str(row[key]): row for row in await connection.fetch(select_rows, *arguments, keys)}
    except (ValueError, OverflowError) as error:
        _refuse_other(error)
        if len(keys) == 1:
            return {keys[0]: _mark(keys[0], error)}
    half = len(keys) // 2
    return {
        **await _fetch_by_halves(connection, query, arguments, key, keys[:half]),
        **await _fetch_by_halves(connection, query, arguments, key, keys[half:]),
    }


def _refuse_other(error: Exception) -> None:
    # asyncpg raises these for other faults, such as an argument of a wrong type.
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        raise error


def _position(
    row: asyncpg.Record, position: Callable[[asyncpg.Record], tuple[KeyPart, ...]] | None
) -> tuple[KeyPart, ...] | None:
    try:
        return None if position is None else position(row)
    except Exception:  # noqa: BLE001 - the position itself cannot be read
        return None


def _mark(identifier: str, error: Exception, position: tuple[KeyPart, ...] | None = None) -> UnreadableRow:
    _log.error("stored row cannot be read", row_id=identifier, error=loggable(error))
    return UnreadableRow(identifier, _in_one_line(error), position)


def _in_one_line(error: Exception) -> str:
    """Return the error's text with the field first; msgspec puts the field last, in its own notation."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, AttributeError | TypeError):
        text = f"a column is NULL or of another type: {text}"
    if match := re.fullmatch(r"(.*) - at `\$\.?(.*)`", text):
        text = f"{match[2]}: {match[1]}".replace("`", "")
    return text[:PROBLEM_CHARACTERS_MAX]


def _unreadable(row: UnreadableRow) -> UnreadableItem:
    return {"id": row.id, "unreadable": row.problem}
