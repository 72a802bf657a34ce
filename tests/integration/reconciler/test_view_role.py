"""The role that reads booking's view can write nothing in booking's database, whatever it tries (REC-2)."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from harness import Infra, Stack, start_services
from integration.reconciler.reconciler_bookings import insert_bookings

ROLE = "reconciler_booking_view"
VIEWS = {
    "reconciliation_v1",
    "reconciliation_status_v1",
    "stripe_event_v1",
    "stripe_object_v1",
    "stripe_payment_v1",
}
REFUSED = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a view that cannot be updated
    asyncpg.WrongObjectTypeError,
)

STATEMENTS = [
    "INSERT INTO booking.status_transition (booking_id) VALUES (gen_random_uuid())",
    "INSERT INTO booking.booking SELECT * FROM booking.booking",
    "INSERT INTO booking.reconciliation_v1 (booking_id) VALUES (gen_random_uuid())",
    "UPDATE booking.booking SET total = 1",
    "UPDATE booking.reconciliation_v1 SET total = 1",
    "UPDATE booking.reconciliation_status_v1 SET status = 'cancelled'",
    "DELETE FROM booking.booking",
    "DELETE FROM booking.reconciliation_v1",
    "DELETE FROM booking.reconciliation_status_v1",
    "MERGE INTO booking.booking AS b USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE booking.booking CASCADE",
    "WITH gone AS (DELETE FROM booking.payment RETURNING *) SELECT * FROM gone",
    "WITH new AS (INSERT INTO booking.inbox DEFAULT VALUES RETURNING 1) SELECT * FROM new",
    "COPY booking.booking FROM STDIN",
    "COPY booking.booking TO STDOUT",
    "COPY booking.reconciliation_v1 TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/dev/null'",
    "SELECT client_phone FROM booking.booking",
    "SELECT booking_id FROM booking.booking FOR UPDATE",
    "SELECT booking_id FROM booking.reconciliation_status_v1 FOR UPDATE",
    "SELECT booking_id FROM booking.reconciliation_status_v1 FOR SHARE",
    "LOCK TABLE booking.booking IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE booking.reconciliation_status_v1 IN ACCESS EXCLUSIVE MODE",
    "CREATE TABLE booking.mine (id bigint)",
    "CREATE TABLE public.mine (id bigint)",
    "CREATE TEMPORARY TABLE mine (id bigint)",
    "CREATE SCHEMA mine",
    "CREATE VIEW booking.mine AS SELECT 1",
    "CREATE FUNCTION booking.mine() RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
    "CREATE INDEX ON booking.booking (total)",
    "CREATE TRIGGER mine AFTER UPDATE ON booking.booking EXECUTE FUNCTION booking.keep_price_frozen()",
    "CREATE PUBLICATION mine FOR TABLE booking.booking",
    "ALTER TABLE booking.booking DISABLE TRIGGER ALL",
    "ALTER VIEW booking.reconciliation_v1 SET (security_barrier = false)",
    "DROP VIEW booking.reconciliation_v1",
    "DROP TABLE booking.booking CASCADE",
    "COMMENT ON TABLE booking.booking IS 'mine'",
    "GRANT ALL ON booking.booking TO reconciler_booking_view",
    "GRANT booking TO reconciler_booking_view",
    "REINDEX TABLE booking.booking",
    "SET ROLE booking",
    "SET ROLE booking_owner",
    "SET SESSION AUTHORIZATION booking",
    "SET session_replication_role = replica",
    "DO 'BEGIN UPDATE booking.booking SET total = 1; END'",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_put(1, 0, 'x')",
    "SELECT lo_unlink(1)",
    "SELECT lo_import('/etc/hostname')",
    "SELECT pg_logical_emit_message(true, 'x', 'y')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_reload_conf()",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
]


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        await insert_bookings(stack)
        yield stack


async def test_every_kind_of_statement_is_refused(own: Stack) -> None:
    done: list[str] = []
    async with own.database("booking").connect(ROLE) as connection:
        # The role reads only by default; the rights must hold without that.
        await connection.execute("SET default_transaction_read_only = off")
        assert await connection.fetchval("SELECT count(*) FROM booking.reconciliation_v1") > 0
        for statement in STATEMENTS:
            try:
                async with connection.transaction():
                    await connection.execute(statement)
            except REFUSED:
                continue
            except asyncpg.PostgresError as error:
                done.append(f"{statement}: {type(error).__name__}: {error}")
            else:
                done.append(f"{statement}: was executed")
    assert done == []


async def test_role_has_rights_on_the_published_views_only(own: Stack) -> None:
    async with own.database("booking").connect(ROLE) as connection:
        await connection.execute("SET default_transaction_read_only = off")
        relations = await connection.fetch(
            "SELECT relname, relkind::text AS kind FROM pg_class"
            " WHERE relnamespace = 'booking'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'S')"
        )
        readable: set[str] = set()
        for row in relations:
            name = f"booking.{row['relname']}"
            if row["kind"] == "S":
                for call in (f"nextval('{name}')", f"setval('{name}', 1)"):
                    with pytest.raises(REFUSED):
                        await connection.execute(f"SELECT {call}")
                continue
            try:
                await connection.execute(f"SELECT FROM {name} LIMIT 1")
                readable.add(row["relname"])
            except REFUSED:
                pass
        assert readable == VIEWS
        # A function that changes data could be called from a SELECT. Those of triggers cannot.
        callable_functions = await connection.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'booking'::regnamespace AND provolatile = 'v'"
            " AND prorettype <> 'trigger'::regtype AND has_function_privilege(oid, 'EXECUTE')"
        )
    assert callable_functions == []
