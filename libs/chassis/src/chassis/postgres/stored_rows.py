"""Rows that somebody changed behind the service: one that cannot be shown is marked, the others are shown.

A list calls `fetch`, `read_rows` and `show_rows`: what the driver cannot decode, what our types cannot hold,
and what is not of the documented form becomes an `UnreadableRow`. A single row calls `fetch_one`, `read_row`
and `show_row`, which raise instead.
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
        id: the row's.
        problem: what is wrong with it, in one line.
        position: where it stands in its list; None where not even that can be read.
    """

    id: str
    problem: str
    position: tuple[KeyPart, ...] | None = None


class UnreadableItem(TypedDict):
    """A stored row that cannot be shown, in its place in a list: `unreadable` says what is wrong with it."""

    id: str
    unreadable: str


class UnreadableRowError(Exception):
    """The row was changed behind the service and cannot be shown: restore it from a backup."""

    def __init__(self, row: UnreadableRow) -> None:
        super().__init__(
            f"the stored row {row.id} cannot be read: {row.problem}; it was changed behind the service,"
            " restore it from a backup"
        )
        self.row = row


async def fetch(
    connection: Connection, query: str, *arguments: object, key: str
) -> list[asyncpg.Record | UnreadableRow]:
    """Fetch rows; one that the driver cannot decode (a time of the year 20000) costs only itself.

    Args:
        connection: any.
        query: one SELECT, which may end with ORDER BY and LIMIT.
        arguments: its parameters.
        key: its column that identifies a row.
    """
    try:
        return list(await connection.fetch(query, *arguments))
    except (ValueError, OverflowError) as error:
        _refuse_other(error)
    keys = f"SELECT found.{key}::text AS key FROM ({query}) AS found"  # noqa: S608 - constants of the caller
    found = [row["key"] for row in await connection.fetch(keys, *arguments)]
    rows = await _fetch_parts(connection, query, arguments, key, found)
    return [rows[each] for each in found if each in rows]


async def fetch_one(connection: Connection, query: str, *arguments: object) -> asyncpg.Record | None:
    """Fetch the row whose id is the last of the query's arguments; None if there is none.

    Raises:
        UnreadableRowError: the driver cannot decode it.
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
    """Turn rows into values; one for which `read` raises is marked."""

    def read_or_mark(row: asyncpg.Record | UnreadableRow) -> ValueT | UnreadableRow:
        if isinstance(row, UnreadableRow):
            return row
        try:
            if position is not None:
                position(row)  # a row that no page can end at is not read either
            return read(row)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this row's and is shown
            return _mark(str(row[key]), error, _position(row, position))

    return [read_or_mark(row) for row in rows]


def read_row(row: asyncpg.Record, read: Callable[[asyncpg.Record], ValueT], *, key: str) -> ValueT:
    """Turn one row into its value.

    Raises:
        UnreadableRowError: `read` cannot.
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
    """Turn values into items of an answer; one that is not of the documented form is marked."""

    def show_or_mark(value: ValueT | UnreadableRow) -> ItemT | UnreadableItem:
        if isinstance(value, UnreadableRow):
            return _unreadable(value)
        try:
            return _shown(value, show, form)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this row's and is shown
            return _unreadable(_mark(str(key(value)), error))

    return [show_or_mark(value) for value in values]


def show_row(
    value: ValueT, show: Callable[[ValueT], ItemT], form: type[ItemT], *, key: Callable[[ValueT], object]
) -> ItemT:
    """Turn one value into the item of an answer.

    Raises:
        UnreadableRowError: it is not of the documented form.
    """
    try:
        return _shown(value, show, form)
    except Exception as error:
        raise UnreadableRowError(_mark(str(key(value)), error)) from error


def _shown(value: ValueT, show: Callable[[ValueT], ItemT], form: type[ItemT]) -> ItemT:
    item = show(value)
    _decoder(form).decode(msgspec.json.encode(item))
    return item


@cache
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(form)


async def _fetch_parts(
    connection: Connection, query: str, arguments: Sequence[object], key: str, keys: Sequence[str]
) -> dict[str, asyncpg.Record | UnreadableRow]:
    """Fetch rows by halves, until those that cannot be decoded stand alone."""
    if not keys:
        return {}
    part = f"SELECT * FROM ({query}) AS found WHERE found.{key}::text = ANY(${len(arguments) + 1}::text[])"  # noqa: S608 - constants of the caller
    try:
        return {str(row[key]): row for row in await connection.fetch(part, *arguments, keys)}
    except (ValueError, OverflowError) as error:
        _refuse_other(error)
        if len(keys) == 1:
            return {keys[0]: _mark(keys[0], error)}
    half = len(keys) // 2
    return {
        **await _fetch_parts(connection, query, arguments, key, keys[:half]),
        **await _fetch_parts(connection, query, arguments, key, keys[half:]),
    }


def _refuse_other(error: Exception) -> None:
    """Raise what is no failure to decode a row, such as an argument of a wrong type."""
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        raise error


def _position(
    row: asyncpg.Record, position: Callable[[asyncpg.Record], tuple[KeyPart, ...]] | None
) -> tuple[KeyPart, ...] | None:
    try:
        return None if position is None else position(row)
    except Exception:  # noqa: BLE001 - the position is what is broken
        return None


def _mark(identifier: str, error: Exception, position: tuple[KeyPart, ...] | None = None) -> UnreadableRow:
    _log.error("stored row cannot be read", row_id=identifier, error=loggable(error))
    return UnreadableRow(identifier, _in_one_line(error), position)


def _in_one_line(error: Exception) -> str:
    """Return the error's text; msgspec names the place last and in its own notation."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, AttributeError | TypeError):
        text = f"a column is NULL or of another type: {text}"
    if found := re.fullmatch(r"(.*) - at `\$\.?(.*)`", text):
        text = f"{found[2]}: {found[1]}".replace("`", "")
    return text[:PROBLEM_CHARACTERS_MAX]


def _unreadable(row: UnreadableRow) -> UnreadableItem:
    return {"id": row.id, "unreadable": row.problem}
