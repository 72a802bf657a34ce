"""Nobody changes what is recorded: not the service, the owner, or a replica's role (AU-3)."""

from collections.abc import AsyncGenerator

import asyncpg
import httpx
import pytest

from audit.main import APPEND_ONLY_TABLES
from chassis import clock
from chassis.postgres import Database
from chassis.postgres.append_only import NotAppendOnlyError, assert_append_only
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, changed

COLUMNS = {
    "event_log": "source",
    "payload_retention": "applied_at",
    "log_tile": "level",
    "log_checkpoint": "tree_size",
    "log_submission": "tree_size",
    "log_cosignature": "tree_size",
}
PACKAGES = ("chassis", "audit")
STATEMENTS = ["UPDATE {table} SET entry_id = entry_id", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"]


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra, http: httpx.AsyncClient) -> AsyncGenerator[Stack]:
    """Tables that hold something: an empty one has no row that a trigger could protect."""
    async with start_services(infra, "audit") as stack:
        await AuditApi(stack, http).recorded(
            "bookings.events.v1", changed(clock.new_id(), 1, "pending", "confirmed")
        )
        yield stack


def statement_of(template: str, table: str) -> str:
    column = COLUMNS.get(table, "entry_id")
    return template.format(table=table).replace("entry_id = entry_id", f"{column} = {column}")


every_statement = pytest.mark.parametrize("template", STATEMENTS)
every_table = pytest.mark.parametrize("table", APPEND_ONLY_TABLES)


@every_statement
@every_table
async def test_service_has_no_right_to_change(audit_stack: Stack, template: str, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await audit_stack.database("audit").execute(statement_of(template, table), role="audit")


@pytest.mark.parametrize("replication_role", ["origin", "replica", "local"])
@pytest.mark.parametrize("role", ["audit_owner", "postgres"])
@every_statement
@every_table
async def test_triggers_refuse_owner_and_superuser_whatever_role_replication_has(
    audit_stack: Stack, template: str, table: str, role: str, replication_role: str
) -> None:
    async with audit_stack.database("audit").connect() as connection:
        await connection.execute(f"SET session_replication_role = {replication_role}")
        await connection.execute(f"SET ROLE {role}")
        await connection.execute("SET search_path = audit")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="refused"):
            await connection.execute(statement_of(template, table))


async def test_service_may_read_and_append_and_nothing_else(audit_stack: Stack) -> None:
    rows = await audit_stack.database("audit").fetch(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'audit'"
    )
    granted = {(row["table_name"], row["privilege_type"]) for row in rows}
    assert granted == {
        *((table, "SELECT") for table in APPEND_ONLY_TABLES),  # INSERT is granted by column
        *(("history_gap", right) for right in ("SELECT", "INSERT", "DELETE")),  # what waits: no record
        *(("log_head", right) for right in ("SELECT", "INSERT", "UPDATE")),  # moves with each checkpoint
        *(("entry_block", right) for right in ("SELECT", "INSERT")),  # the words of entries, for the search
        ("payload_rewrite", "SELECT"),
        ("log_witness", "SELECT"),  # what is known of witnesses may change, column by column
        ("witness_log", "SELECT"),
        ("schema_migration", "SELECT"),
    }


async def test_number_of_an_entry_cannot_be_chosen(audit_stack: Stack) -> None:
    with pytest.raises(asyncpg.GeneratedAlwaysError):
        await audit_stack.database("audit").execute(
            "INSERT INTO event_log (entry_id, event_type, status, source, event_id, metadata, topic,"
            " partition, record_offset, payload_digest)"
            " VALUES (1, 'x', 'success', 'x', 'x', '{}', 'x', 0, 0, sha256('x'))",
            role="audit",
        )


async def test_eraser_alone_may_delete_a_payload_and_only_that(audit_stack: Stack) -> None:
    # The trigger checks the name of the role: grants alone do not open the log.
    async with audit_stack.database("audit").connect() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(
                "GRANT SELECT, DELETE, UPDATE ON audit.event_payload, audit.event_log TO audit_eraser;"
                " SET LOCAL search_path = audit; SET LOCAL ROLE audit_eraser"
            )
            assert await connection.execute("DELETE FROM event_payload") != "DELETE 0"
            for forbidden in ("UPDATE event_payload SET subject = 'x'", "DELETE FROM event_log"):
                savepoint = connection.transaction()
                await savepoint.start()
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="refused"):
                    await connection.execute(forbidden)
                await savepoint.rollback()
        finally:
            await transaction.rollback()


@pytest.mark.parametrize("role", ["audit_owner", "postgres"])
async def test_partition_of_payloads_is_guarded_as_the_table_is(audit_stack: Stack, role: str) -> None:
    admin = audit_stack.database("audit")
    month = await admin.fetchval("SELECT tableoid::regclass::text FROM audit.event_payload LIMIT 1")
    for template in STATEMENTS:
        async with admin.connect() as connection:
            await connection.execute(f"SET session_replication_role = replica; SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="refused"):
                await connection.execute(template.format(table=month))
    database = Database(admin.dsn("audit"), application_name="test")
    await database.start()
    try:
        await admin.execute(f"ALTER TABLE {month} DISABLE TRIGGER event_payload_statements")
        with pytest.raises(NotAppendOnlyError, match="partition event_payload_"):
            await assert_append_only(database, APPEND_ONLY_TABLES, packages=PACKAGES)
    finally:
        await admin.execute(f"ALTER TABLE {month} ENABLE ALWAYS TRIGGER event_payload_statements")
        await database.stop()


@every_table
async def test_self_check_finds_a_trigger_that_is_not_always_on(
    infra: Infra, audit_stack: Stack, table: str
) -> None:
    admin = audit_stack.database("audit")
    database = Database(admin.dsn("audit"), application_name="test")
    await database.start()
    try:
        await assert_append_only(database, APPEND_ONLY_TABLES, packages=PACKAGES)
        await admin.execute(f"ALTER TABLE audit.{table} ENABLE TRIGGER {table}_rows")
        with pytest.raises(NotAppendOnlyError, match=table):
            await assert_append_only(database, APPEND_ONLY_TABLES, packages=PACKAGES)
    finally:
        await admin.execute(f"ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER {table}_rows")
        await database.stop()


async def test_service_whose_trigger_function_was_replaced_does_not_start(audit_stack: Stack) -> None:
    admin = audit_stack.database("audit")
    shipped = await admin.fetchval("SELECT pg_get_functiondef('audit.refuse_change'::regproc)")
    await admin.execute(
        "CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'"
    )
    try:
        refused = await audit_stack.start("audit", {"START_SECONDS_MAX": "1"}, ready=False)
        await eventually(lambda: not refused.running, seconds=30)
        assert "event_log: its trigger event_log_rows calls refuse_change, which" in refused.log()
    finally:
        await admin.execute(shipped)


async def test_service_with_too_many_rights_does_not_start(audit_stack: Stack) -> None:
    admin = audit_stack.database("audit")
    await admin.execute("GRANT DELETE ON audit.status_history TO audit")
    await admin.execute("ALTER TABLE audit.status_history DISABLE TRIGGER status_history_rows")
    try:
        refused = await audit_stack.start("audit", {"START_SECONDS_MAX": "1"}, ready=False)
        await eventually(lambda: not refused.running, seconds=30)
        assert "append-only" in refused.log()
    finally:
        await admin.execute("REVOKE DELETE ON audit.status_history FROM audit")
        await admin.execute("ALTER TABLE audit.status_history ENABLE ALWAYS TRIGGER status_history_rows")
