"""Append-only by enforcement, and the proof of it at start-up (BK-5, AU-3, design rule 8)."""

from collections.abc import Sequence

import asyncpg

from chassis.health import Check
from chassis.postgres import Connection, Database

_FORBIDDEN = (
    'UPDATE {table} SET "{column}" = "{column}"',
    "DELETE FROM {table}",
    "TRUNCATE {table}",
)

# One that a statement may name: a generated column is refused before anybody looks at grants.
_FIRST_COLUMN = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity <> 'a' AND attgenerated = ''
ORDER BY attnum LIMIT 1
"""

_GRANTED = """
SELECT string_agg(privilege, ', ') FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
WHERE has_table_privilege($1::regclass, privilege)
    OR privilege = 'UPDATE' AND has_any_column_privilege($1::regclass, privilege)
"""

# tgtype bits: 1 row, 2 before, 8 delete, 16 update, 32 truncate; tgenabled 'A' is ENABLE ALWAYS.
# tgqual and tgattr: a trigger with a condition, or on some columns, lets the rest through.
# The function's name is a rule of the house: refuse_change, or refuse_change_of_… where one role may pass.
_GUARDED = r"""
SELECT
    bool_or(tgtype & 27 = 27) AS rows_guarded,
    bool_or(tgtype & 1 = 0 AND tgtype & 58 = 58) AS statements_guarded
FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE tgrelid = $1::regclass AND tgenabled = 'A' AND NOT tgisinternal
    AND proname LIKE 'refuse\_change%' AND tgqual IS NULL AND tgattr::text = ''
"""


class NotAppendOnlyError(Exception):
    """A history could be changed. The service must not run: restore grants and triggers first."""


async def assert_append_only(database: Database, tables: Sequence[str]) -> None:
    """Try each forbidden statement in a transaction that is rolled back, as the service's own role.

    Also looks whether this role was granted any of them, and whether the triggers that bind everyone else,
    the owner among them, are there and ENABLE ALWAYS: plain ones are bypassed by
    `session_replication_role = replica`.

    Raises:
        NotAppendOnlyError: a statement went through or is granted, or a trigger is missing.
    """
    async with database.connection() as connection:
        for table in tables:
            await _assert_guarded(connection, table)
            await _assert_not_granted(connection, table)
            column: str = await connection.fetchval(_FIRST_COLUMN, table)
            for statement in _FORBIDDEN:
                await _assert_refused(connection, statement.format(table=table, column=column))


async def _assert_guarded(connection: Connection, table: str) -> None:
    row = await connection.fetchrow(_GUARDED, table)
    if row is None or not (row["rows_guarded"] and row["statements_guarded"]):
        raise NotAppendOnlyError(f"{table}: the ENABLE ALWAYS triggers that refuse changes are missing")


async def _assert_not_granted(connection: Connection, table: str) -> None:
    granted = await connection.fetchval(_GRANTED, table)
    if granted is not None:
        raise NotAppendOnlyError(f"{table}: the service's role has been granted {granted}: revoke it")


async def _assert_refused(connection: Connection, statement: str) -> None:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return
    finally:
        await transaction.rollback()
    raise NotAppendOnlyError(f"the database let this through: {statement}")


class AppendOnlyGuard:
    """A part that lets a service start only when its histories cannot be changed.

    Args:
        database: of the service, with its own role.
        tables: the append-only ones.
    """

    name = "append-only"

    def __init__(self, database: Database, tables: Sequence[str]) -> None:
        self._database = database
        self._tables = tables
        self._proven = False

    async def start(self) -> None:
        """Run the self-check.

        Raises:
            NotAppendOnlyError: a history could be changed.
        """
        await assert_append_only(self._database, self._tables)
        self._proven = True

    async def stop(self) -> None:
        """Nothing is held."""

    async def check(self) -> Check:
        """Good once the self-check has passed."""
        return Check(ok=self._proven, detail="" if self._proven else "not proven yet")
