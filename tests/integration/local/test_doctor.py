"""Each checked property of a deployment is broken once, reported by the doctor, and repaired."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chassis import clock
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from chassis.postgres.append_only_catalog import read_shipped
from contracts import topics
from harness import Infra, Stack, eventually, start_services
from harness.ports import free_port
from harness.processes import run_program
from plumbline import databases, deployment, dsn
from plumbline.doctor import access, backlogs, checks, grants, groups, schema
from plumbline.doctor.target import SERVICE_URLS, Target, find
from plumbline.failure import StackError
from plumbline.state_directory import StateDirectory


@pytest.fixture(scope="module")
async def deployed(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, *SERVICE_URLS) as stack:
        yield stack


@pytest.fixture
def environment(deployed: Stack, infra: Infra, tmp_path: Path) -> dict[str, str]:
    return {
        **deployed.environment(),
        dsn.ADMIN_VARIABLE: infra.admin_dsn("postgres"),
        **{variable: deployed.url(name) for name, variable in SERVICE_URLS.items()},
        "PLUMBLINE_STATE": str(tmp_path / "no-stack-here"),
    }


@pytest.fixture
def target(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return find(StateDirectory(tmp_path / "no-stack-here", 8080), environment)


async def problems(target: Target) -> dict[str, str]:
    return {
        finding.subject: finding.problem for finding in await checks.run_checks(target) if finding.problem
    }


async def test_healthy_deployment_is_all_good_and_exits_with_0(environment: dict[str, str]) -> None:
    finished = await run_program("plumbline", ["doctor"], environment)

    assert finished.exit_code == 0, finished.stdout
    *findings, total = finished.stdout.splitlines()
    good = [line for line in findings if line.startswith("ok ")]
    assert total == f"{len(good)} checks, none wrong"
    # What the services check stands behind them, and slips in the names of variables.
    assert all(line.startswith("ok ") for line in findings[: len(good)])
    assert sum("NOT CHECKED" in line for line in findings) == 2


_REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION reconciler.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
{body}$$
"""
(_SHIPPED_BODY,) = read_shipped(["chassis"]).bodies["refuse_change"]

# Service whose database is changed, breaking statement, repairing statement, wrong subjects, problem text.
BREAKAGES = {
    "history without its trigger": (
        "audit",
        "ALTER TABLE audit.event_log DISABLE TRIGGER event_log_statements",
        "ALTER TABLE audit.event_log ENABLE ALWAYS TRIGGER event_log_statements",
        {"audit.event_log is append-only"},
        "ENABLE ALWAYS triggers",
    ),
    "trigger that sleeps in replica mode": (
        "booking",
        "ALTER TABLE booking.status_transition ENABLE TRIGGER status_transition_rows",
        "ALTER TABLE booking.status_transition ENABLE ALWAYS TRIGGER status_transition_rows",
        {"booking.status_transition is append-only"},
        "ENABLE ALWAYS triggers",
    ),
    "owner freed from the trigger": (
        "reconciler",
        _REFUSE_CHANGE.format(body="BEGIN RETURN NULL; END;"),
        _REFUSE_CHANGE.format(body=_SHIPPED_BODY),
        {"reconciler.exception_event is append-only", "reconciler.dead_letter_action is append-only"},
        "calls refuse_change, which is not from the migrations or was changed",
    ),
    "rule before the triggers": (
        "audit",
        "CREATE RULE kept AS ON DELETE TO audit.event_payload DO INSTEAD NOTHING",
        "DROP RULE kept ON audit.event_payload",
        {"audit.event_payload is append-only"},
        "a rule rewrites statements before any trigger sees them: drop it",
    ),
    "view kept from its reader": (
        "booking",
        "REVOKE SELECT ON booking.reconciliation_v1 FROM reconciler_booking_view",
        "GRANT SELECT ON booking.reconciliation_v1 TO reconciler_booking_view",
        {"role reconciler_booking_view reads booking.reconciliation_v1 only"},
        "cannot read the views",
    ),
    "reader with a right too many": (
        "booking",
        "GRANT UPDATE ON booking.booking TO reconciler_booking_view",
        "REVOKE UPDATE ON booking.booking FROM reconciler_booking_view",
        {"role reconciler_booking_view reads booking.reconciliation_v1 only"},
        "booking: UPDATE",
    ),
    "right too many": (
        "audit",
        "GRANT UPDATE (entry_id) ON audit.event_log TO PUBLIC",
        "REVOKE UPDATE (entry_id) ON audit.event_log FROM PUBLIC",
        {"grants of audit", "audit.event_log is append-only"},
        "",
    ),
    "right too few": (
        "reconciler",
        "REVOKE INSERT ON reconciler.schedule FROM reconciler",
        "GRANT INSERT ON reconciler.schedule TO reconciler",
        {"grants of reconciler"},
        "GRANT INSERT ON reconciler.schedule TO reconciler",
    ),
    "migration changed afterwards": (
        "booking",
        "UPDATE booking.schema_migration SET sha256 = 'x' || sha256 WHERE name = '0004_pre_payment.sql'",
        "UPDATE booking.schema_migration SET sha256 = substr(sha256, 2) WHERE name = '0004_pre_payment.sql'",
        {"migrations of booking"},
        "changed after it was applied: 0004_pre_payment.sql",
    ),
    "migration of another version": (
        "booking",
        "INSERT INTO booking.schema_migration VALUES ('booking', '0999_pre_future.sql', 'x')",
        "DELETE FROM booking.schema_migration WHERE name = '0999_pre_future.sql'",
        {"migrations of booking"},
        "not of this version: 0999_pre_future.sql",
    ),
    "dead letter that waits": (
        "booking",
        """
        INSERT INTO booking.dead_letter
            (dead_letter_id, consumer, topic, partition, record_offset, key, value, headers, reason, error,
             attempts)
        VALUES (uuidv7(), 'booking', 'doctor.v1', 0, 1, 'k', '', '', 'bug', 'planted', 1)
        """,
        "DELETE FROM booking.dead_letter WHERE topic = 'doctor.v1'",
        {"dead letters of booking"},
        "1 messages wait behind 1 blocked ordering keys: run `python -m booking dead-letters list`",
    ),
    "advisory locks for everybody": (
        "reconciler",
        "GRANT EXECUTE ON FUNCTION pg_try_advisory_lock(integer, integer) TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION pg_try_advisory_lock(integer, integer) FROM PUBLIC",
        {"functions of database reconciler"},
        "may call pg_try_advisory_lock",
    ),
    "large objects for the service": (
        "audit",
        "GRANT EXECUTE ON FUNCTION lo_create(oid) TO audit",
        "REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM audit",
        {"functions of database audit"},
        "audit may call lo_create: run `plumbline databases apply`",
    ),
    "service without advisory locks": (
        "booking",
        "REVOKE EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) FROM booking",
        "GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO booking",
        {"functions of database booking"},
        "booking or its owner may not take advisory locks",
    ),
    "open maintenance database": (
        "booking",
        "GRANT CONNECT ON DATABASE template1 TO booking",
        "REVOKE CONNECT ON DATABASE template1 FROM booking",
        {"maintenance databases"},
        "template1 may be entered by booking: run `plumbline databases apply`",
    ),
    "role without a limit of connections": (
        "booking",
        "ALTER ROLE reconciler_booking_view CONNECTION LIMIT -1",
        "ALTER ROLE reconciler_booking_view CONNECTION LIMIT 10",
        {"connection limits"},
        "reconciler_booking_view (no limit): run `plumbline databases apply`",
    ),
    "view without its barrier": (
        "booking",
        "ALTER VIEW booking.reconciliation_v1 RESET (security_barrier)",
        "ALTER VIEW booking.reconciliation_v1 SET (security_barrier = true)",
        {"booking.reconciliation_v1 is a security barrier"},
        "is not: run `python -m booking migrate`",
    ),
    "migration not applied": (
        "audit",
        "UPDATE audit.schema_migration SET name = 'x' || name WHERE name LIKE '%event_payload%'",
        "UPDATE audit.schema_migration SET name = substr(name, 2) WHERE name LIKE '%event_payload%'",
        {"migrations of audit"},
        "not applied: 0002_pre_event_payload.sql; run `python -m audit migrate`",
    ),
}


def rounds() -> list[list[str]]:
    """Divide the breakages so that no two of a round have a subject in common. A doctor's visit is dear."""
    divided: list[tuple[set[str], list[str]]] = []
    for name, (*_, subjects, _) in BREAKAGES.items():
        free = (each for each in divided if not each[0] & subjects)
        if (chosen := next(free, None)) is None:
            chosen = (set(), [])
            divided.append(chosen)
        chosen[0].update(subjects)
        chosen[1].append(name)
    return [names for _, names in divided]


@pytest.mark.parametrize("names", rounds())
async def test_breakages_are_found_and_nothing_else_is_blamed(
    deployed: Stack, target: Target, names: list[str]
) -> None:
    broken = [BREAKAGES[name] for name in names]
    try:
        for service, breaking, *_ in broken:
            await deployed.database(service).execute(breaking)
        found = await problems(target)
    finally:
        for service, _, repairing, *_ in broken:
            await deployed.database(service).execute(repairing)

    found = {subject.replace(f"{deployed.prefix}_", ""): text for subject, text in found.items()}
    assert found.keys() == set().union(*(subjects for *_, subjects, _ in broken))
    for *_, subjects, problem in broken:
        assert all(problem in found[subject] for subject in subjects), problem
    assert await problems(target) == {}


async def test_changes_that_could_not_be_tried_are_a_problem(
    deployed: Stack, target: Target, infra: Infra
) -> None:
    # An administrator without superuser rights may become the owner, but cannot turn triggers off.
    admin = deployed.database("booking")
    await admin.execute("CREATE ROLE doctor_admin LOGIN PASSWORD 'x' IN ROLE booking_owner")
    dba = dsn.as_role(infra.admin_dsn("postgres"), "doctor_admin", "x")
    try:
        await admin.execute(f'GRANT CONNECT ON DATABASE "{deployed.prefix}_booking" TO doctor_admin')
        found = await schema.append_only(replace(target, admin_dsn=dba), "booking")
    finally:
        await admin.execute("DROP OWNED BY doctor_admin; DROP ROLE doctor_admin")

    for finding in found:
        assert finding.problem.startswith("could not be tried as booking_owner, ")
        assert finding.problem.endswith("set POSTGRES_ADMIN_DSN to a superuser")
        assert "\n" not in finding.problem
    assert all(finding.good for finding in await schema.append_only(target, "booking"))


async def test_database_without_migrations_says_which_command_to_run(infra: Infra) -> None:
    async with start_services(infra, "webhook-gateway", unmigrated=True) as bare:
        environment = bare.environment()
        strings = {service: environment[dsn.service_variable(service)] for service in databases.SERVICES}
        strings |= {dsn.VIEWER: environment[dsn.VIEWER_VARIABLE]}
        kafka = KafkaConnection(infra.kafka_bootstrap, "", {"security_protocol": "PLAINTEXT"})
        empty = Target(kafka, infra.admin_dsn("postgres"), strings, {})
        found = [
            *await schema.migrations(empty, "booking"),
            *await grants.grants(empty, "booking"),
            *await schema.append_only(empty, "booking"),
            *await backlogs.backlogs(empty, "booking"),
            *await access.viewer(empty),
        ]

    assert len(found) > len(schema.APPEND_ONLY["booking"])
    for finding in found:
        assert "run `python -m booking migrate`" in finding.problem
        assert "\n" not in finding.line


async def test_session_that_holds_shards_and_is_no_relay_is_found(deployed: Stack, target: Target) -> None:
    async with deployed.database("booking").connect() as session:
        pid = await session.fetchval("SELECT pg_backend_pid()")
        lock = asyncio.create_task(session.execute("SELECT pg_advisory_lock(7310579, 3)"))
        await deployed.database("booking").fetch(_END_RELAYS)
        await lock
        found = await problems(target)
    await eventually(lambda: deployed.ready("booking"), seconds=30)

    assert f"pid {pid} (role postgres, no name) holds 1" in found["shards of booking"]
    assert "plumbline databases apply" in found["shards of booking"]


_END_RELAYS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'booking-dedicated' AND datname = current_database()
"""


async def test_role_that_can_connect_to_a_foreign_database_is_found(deployed: Stack, target: Target) -> None:
    database = f"{deployed.prefix}_audit"
    await deployed.database("audit").execute(f'GRANT CONNECT ON DATABASE "{database}" TO booking')
    try:
        found = await problems(target)
    finally:
        await deployed.database("audit").execute(f'REVOKE CONNECT ON DATABASE "{database}" FROM booking')

    assert list(found) == [f"database {database}"]
    assert "may be entered by audit, booking, expected audit" in found[f"database {database}"]


async def test_missing_topics_and_groups_without_members_are_found_one_by_one(target: Target) -> None:
    elsewhere = replace(target, kafka=replace(target.kafka, topic_prefix="nobody-made-these."))

    found = await problems(elsewhere)

    missing = {subject: problem for subject, problem in found.items() if subject.startswith("topic ")}
    unattended = {
        subject: problem for subject, problem in found.items() if subject.startswith("consumer group ")
    }
    assert (len(missing), len(unattended), len(found)) == (8, 3, 11)
    assert all("plumbline topics apply" in problem for problem in missing.values())
    assert all("has no members, 0 messages wait: start " in problem for problem in unattended.values())


async def test_topic_unlike_its_card_is_found(target: Target) -> None:
    kafka = replace(target.kafka, topic_prefix="doctor-unlike.")
    partitions = replace(topics.BOOKINGS_EVENTS, partitions=7)
    kept = replace(topics.WEBHOOKS_STRIPE, retention_hours=1)
    like = [card for card in topics.TOPICS if card not in {topics.BOOKINGS_EVENTS, topics.WEBHOOKS_STRIPE}]
    await apply_topics(kafka, [partitions, kept, *like])

    found = await problems(replace(target, kafka=kafka))

    unlike = {subject: problem for subject, problem in found.items() if subject.startswith("topic ")}
    assert unlike.keys() == {f"topic doctor-unlike.{card.name}" for card in (partitions, kept)}
    assert "has 7 partitions, its card says 6" in unlike["topic doctor-unlike.bookings.events.v1"]
    assert "--add-config retention.ms=2592000000" in unlike["topic doctor-unlike.webhooks.stripe.v1"]


async def test_old_outbox_row_is_found(target: Target, deployed: Stack) -> None:
    # The topic does not exist, so the relay cannot send the row.
    await deployed.database("booking").execute(
        "INSERT INTO booking.outbox (shard, topic, key, value, headers, created_at)"
        " VALUES (3, 'doctor.v1', 'k', '', '[]', now() - interval '2 hours')"
    )
    try:
        found = await problems(target)
    finally:
        await deployed.database("booking").execute("DELETE FROM booking.outbox WHERE topic = 'doctor.v1'")
        await eventually(lambda: deployed.ready("booking"), seconds=30)

    assert re.search(r"oldest row has waited for 72\d\d s", found["outbox of booking"])
    assert (
        "booking outbox status`, then follow deploy/runbooks/outbox-growing.md" in found["outbox of booking"]
    )
    assert found.keys() <= {"outbox of booking", "service booking"}


async def test_group_that_stands_still_is_found(
    target: Target, deployed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "WATCH_SECONDS", 1.0)
    async with deployed.database("audit").connect() as connection, connection.transaction():
        await connection.execute("LOCK TABLE audit.event_log IN EXCLUSIVE MODE")
        await deployed.topic("webhooks.rejected.v1").publish(b"{}", key=b"doctor", headers=[])

        async def stuck() -> str:
            finding = next(each for each in await groups.groups(target) if each.subject.endswith("audit"))
            return finding.problem

        problem = await eventually(stuck, seconds=20)
    assert "makes no progress with 1 messages waiting on" in problem

    async def flows() -> bool:
        return all(finding.good for finding in await groups.groups(target))

    await eventually(flows, seconds=60)


async def test_topic_of_a_new_source_is_no_alarm_while_audit_does_not_know_it_yet(
    target: Target, deployed: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "WATCH_SECONDS", 0.1)
    sources = tmp_path / "sources.toml"
    sources.write_text(
        '[[sources.newcomer.accept]]\nscheme = "github"\nsecret_variable = "NEWCOMER_SECRET"\n'
    )
    monkeypatch.setenv("WEBHOOK_SOURCES_FILE", str(sources))
    await apply_topics(target.kafka, deployment.topics(os.environ))
    await deployed.topic("webhooks.newcomer.v1").publish(b"{}", key=b"doctor", headers=[])

    findings = {each.subject: each for each in await groups.groups(target)}
    audit = findings[f"consumer group {target.kafka.topic_prefix}audit"]

    assert audit.good, audit.problem
    assert "audit looks for new topics every 30 s: " in audit.note


async def test_clock_of_this_machine_that_is_wrong_is_found(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() - timedelta(seconds=45))

    found = await problems(target)

    assert found.keys() == {"clock of postgres", *(f"clock of {name}" for name in SERVICE_URLS)}
    assert "by +45 s" in found["clock of postgres"]


async def test_service_that_is_away_is_found_with_its_group(deployed: Stack, target: Target) -> None:
    (reconciler,) = deployed.services("reconciler")
    await reconciler.stop()
    try:
        found = await problems(target)
    finally:
        await reconciler.start()

    assert found.keys() == {"service reconciler", f"consumer group {target.kafka.topic_prefix}reconciler"}


async def test_silent_servers_are_findings_in_bounded_time(target: Target) -> None:
    # A server that accepts connections and never answers.
    silent = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{silent.getsockname()[1]}"
    silent_target = replace(
        target,
        kafka=replace(target.kafka, bootstrap=host),
        admin_dsn=f"postgresql://postgres:hidden@{host}/postgres",
        strings={role: f"postgresql://{role}:hidden@{host}/x" for role in target.strings},
        urls={"booking": f"http://{host}"},
    )
    try:
        async with asyncio.timeout(checks.CHECK_SECONDS_MAX * 2):
            found = await problems(silent_target)
    finally:
        silent.close()

    assert {"kafka", "service booking"} <= found.keys()


async def test_broker_database_and_service_that_are_away_are_findings(target: Target) -> None:
    port = free_port()
    away = replace(
        target,
        kafka=replace(target.kafka, bootstrap=f"127.0.0.1:{port}"),
        admin_dsn=f"postgresql://postgres:hidden@127.0.0.1:{port}/postgres",
        strings={role: f"postgresql://{role}:hidden@127.0.0.1:{port}/x" for role in target.strings},
        urls={"booking": f"http://127.0.0.1:{port}"},
    )

    found = await problems(away)

    assert {f"kafka at 127.0.0.1:{port}", "postgres", "database x", "service booking"} <= set(found)
    assert not [problem for problem in found.values() if "hidden" in problem or "\n" in problem]


def test_without_stack_and_variables_there_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nothing runs from .*POSTGRES_ADMIN_DSN"):
        find(StateDirectory(tmp_path, 8080), {})
