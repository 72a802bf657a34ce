"""Append-only by enforcement: the self-check passes when all is right and refuses each gap (BK-5, AU-3)."""

import asyncpg
import pytest

from chassis.postgres import Database
from chassis.postgres.append_only import AppendOnlyStartupCheck, NotAppendOnlyError, assert_append_only
from integration.chassis.ground import Ground

_TABLE = """
SET ROLE "{owner}";
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL,
    what_length int GENERATED ALWAYS AS (length(what)) STORED
);
GRANT SELECT, INSERT (what) ON history TO "{role}";
CREATE TRIGGER history_rows BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER history_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE history ENABLE ALWAYS TRIGGER history_rows;
ALTER TABLE history ENABLE ALWAYS TRIGGER history_statements;
INSERT INTO history (what) VALUES ('kept');
"""

GAPS = {
    "UPDATE granted": 'GRANT UPDATE ON history TO "{role}"',
    "one column's UPDATE granted": 'GRANT UPDATE (what) ON history TO "{role}"',
    "DELETE granted": 'GRANT DELETE ON history TO "{role}"',
    "TRUNCATE granted": 'GRANT TRUNCATE ON history TO "{role}"',
    "granted to everybody": "GRANT UPDATE, DELETE, TRUNCATE ON history TO PUBLIC",
    "granted by membership": 'GRANT "{owner}" TO "{role}"',
    "row trigger plain": "ALTER TABLE history ENABLE TRIGGER history_rows",
    "statement trigger plain": "ALTER TABLE history ENABLE TRIGGER history_statements",
    "row trigger disabled": "ALTER TABLE history DISABLE TRIGGER history_rows",
    "row trigger missing": "DROP TRIGGER history_rows ON history",
    "statement trigger missing": "DROP TRIGGER history_statements ON history",
    "triggers without TRUNCATE": (
        "DROP TRIGGER history_statements ON history;"
        "CREATE TRIGGER history_statements BEFORE UPDATE OR DELETE ON history"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();"
        "ALTER TABLE history ENABLE ALWAYS TRIGGER history_statements"
    ),
    "trigger with a condition": (
        "DROP TRIGGER history_rows ON history;"
        "CREATE TRIGGER history_rows BEFORE UPDATE OR DELETE ON history"
        " FOR EACH ROW WHEN (old.what = 'x') EXECUTE FUNCTION refuse_change();"
        "ALTER TABLE history ENABLE ALWAYS TRIGGER history_rows"
    ),
    "trigger on one column": (
        "DROP TRIGGER history_rows ON history;"
        "CREATE TRIGGER history_rows BEFORE UPDATE OF id OR DELETE ON history"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change();"
        "ALTER TABLE history ENABLE ALWAYS TRIGGER history_rows"
    ),
    "trigger that is never asked": (
        "DROP TRIGGER history_statements ON history;"
        "CREATE TRIGGER history_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON history"
        " FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION refuse_change();"
        "ALTER TABLE history ENABLE ALWAYS TRIGGER history_statements"
    ),
    "function that refuses nothing": (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN IF tg_op = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END'"
    ),
    "function of another name that refuses nothing": (
        "CREATE FUNCTION refuse_change_never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "DROP TRIGGER history_rows ON history;"
        "CREATE TRIGGER history_rows BEFORE UPDATE OR DELETE ON history"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change_never();"
        "ALTER TABLE history ENABLE ALWAYS TRIGGER history_rows"
    ),
    "function with settings of its own": "ALTER FUNCTION refuse_change() SET search_path = public",
    "function with its owner's rights": "ALTER FUNCTION refuse_change() SECURITY DEFINER",
    "function of the service": 'ALTER FUNCTION refuse_change() OWNER TO "{role}"',
    "another trigger before": (
        "CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER a_first BEFORE INSERT ON history FOR EACH ROW EXECUTE FUNCTION rewrite()"
    ),
    "rule": "CREATE RULE kept AS ON DELETE TO history DO INSTEAD NOTHING",
    "row level security": "ALTER TABLE history ENABLE ROW LEVEL SECURITY",
    "policy": "CREATE POLICY partly ON history USING (what = 'x')",
    "heir": "CREATE TABLE heir () INHERITS (history)",
    "parent": "CREATE TABLE parent (what text NOT NULL); ALTER TABLE history INHERIT parent",
    "table of the service": 'ALTER TABLE history OWNER TO "{role}"',
    "schema of the service": 'ALTER SCHEMA public OWNER TO "{role}"',
    "TRIGGER granted": 'GRANT TRIGGER ON history TO "{role}"',
    "granted to a role that it may become": 'GRANT pg_write_all_data TO "{role}" WITH INHERIT FALSE',
    "ids and times of its choice": 'GRANT INSERT ON history TO "{role}"',
    "trigger that refuses nothing": (
        "CREATE FUNCTION let_pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "DROP TRIGGER history_rows ON history;"
        "CREATE TRIGGER history_rows BEFORE UPDATE OR DELETE ON history"
        " FOR EACH ROW EXECUTE FUNCTION let_pass();"
        "ALTER TABLE history ENABLE ALWAYS TRIGGER history_rows"
    ),
}


@pytest.fixture
async def history(place: Ground) -> Ground:
    await place.sql.execute(_TABLE.format(owner=place.owner, role=place.role))
    return place


async def test_table_guarded_on_all_sides_passes_and_is_as_before(
    history: Ground, database: Database
) -> None:
    startup_check = AppendOnlyStartupCheck(database, ["history"])
    assert not (await startup_check.check()).ok
    await startup_check.start()
    assert (await startup_check.check()).ok
    assert await history.sql.fetchval("SELECT string_agg(what, ',') FROM history") == "kept"


@pytest.mark.parametrize("gap", GAPS)
async def test_any_gap_is_a_reason_not_to_start(history: Ground, database: Database, gap: str) -> None:
    await history.sql.execute(GAPS[gap].format(owner=history.owner, role=history.role))
    startup_check = AppendOnlyStartupCheck(database, ["history"])
    with pytest.raises(NotAppendOnlyError, match="history"):
        await startup_check.start()
    assert not (await startup_check.check()).ok
    assert await history.sql.fetchval("SELECT string_agg(what, ',') FROM history") == "kept"


async def test_one_open_table_among_guarded_ones_is_found(history: Ground, database: Database) -> None:
    with pytest.raises(NotAppendOnlyError, match="inbox"):
        await assert_append_only(database, ["history", "inbox"])


@pytest.mark.parametrize(
    "statement", ["UPDATE history SET what = 'x'", "DELETE FROM history", "TRUNCATE history"]
)
@pytest.mark.parametrize("replication_role", ["origin", "replica"])
async def test_triggers_bind_even_the_owner_and_the_superuser(
    history: Ground, statement: str, replication_role: str
) -> None:
    """Plain triggers do not fire under session_replication_role = replica; these do."""
    for role in (None, history.owner):
        async with history.sql.connect() as connection:
            await connection.execute(f"SET session_replication_role = {replication_role}")
            if role:
                await connection.execute(f'SET ROLE "{role}"')
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await connection.execute(statement)
    assert await history.sql.fetchval("SELECT string_agg(what, ',') FROM history") == "kept"
