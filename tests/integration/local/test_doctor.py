"""Each thing that doctor looks at is broken once, found by it, and repaired."""

import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import Infra, Stack, start_services
from harness.ports import free_port
from harness.processes import run
from plumbline import dsn
from plumbline.doctor import examination, patient
from plumbline.doctor.patient import Patient
from plumbline.failure import StackError
from plumbline.place import Place


@pytest.fixture(scope="module")
async def deployed(infra: Infra) -> AsyncGenerator[Stack]:
    """Databases and topics without services."""
    async with start_services(infra) as stack:
        yield stack


@pytest.fixture
def environment(deployed: Stack, infra: Infra, tmp_path: Path) -> dict[str, str]:
    return {
        **deployed.environment(),
        dsn.ADMIN_VARIABLE: infra.admin_dsn("postgres"),
        "PLUMBLINE_STATE": str(tmp_path / "no-stack-here"),
    }


@pytest.fixture
def examined(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return patient.find(Place(tmp_path / "no-stack-here", 8080), environment)


async def wrong(examined: Patient) -> dict[str, str]:
    return {
        finding.subject: finding.problem for finding in await examination.examine(examined) if finding.problem
    }


async def test_healthy_deployment_is_all_good_and_exits_with_0(environment: dict[str, str]) -> None:
    finished = await run([sys.executable, "-m", "plumbline", "doctor"], environment)

    assert finished.exit_code == 0, finished.stdout
    assert {line.split()[0] for line in finished.stdout.splitlines()} == {"ok"}


_REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION reconciler.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {body} END;
$$
"""

# database, what breaks it, what repairs it, the subjects that are wrong then, what is said of them
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
        _REFUSE_CHANGE.format(body="RETURN NULL;"),
        _REFUSE_CHANGE.format(body="RAISE EXCEPTION 'refused' USING ERRCODE = 'insufficient_privilege';"),
        {"reconciler.exception_event is append-only", "reconciler.dead_letter_action is append-only"},
        "the owner could delete from it",
    ),
    "view kept from its reader": (
        "booking",
        "REVOKE SELECT ON booking.reconciliation_v1 FROM reconciler_booking_view",
        "GRANT SELECT ON booking.reconciliation_v1 TO reconciler_booking_view",
        {"role reconciler_booking_view reads booking.reconciliation_v1 only"},
        "may not read it",
    ),
    "reader with a right too many": (
        "booking",
        "GRANT UPDATE ON booking.booking TO reconciler_booking_view",
        "REVOKE UPDATE ON booking.booking FROM reconciler_booking_view",
        {"role reconciler_booking_view reads booking.reconciliation_v1 only"},
        "booking: UPDATE",
    ),
    "migration not applied": (
        "audit",
        "UPDATE audit.schema_migration SET name = 'x' || name WHERE name LIKE '%event_payload%'",
        "UPDATE audit.schema_migration SET name = substr(name, 2) WHERE name LIKE '%event_payload%'",
        {"migrations of audit"},
        "not applied: 0002_pre_event_payload.sql; run `python -m audit migrate`",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
async def test_breakage_is_found_and_nothing_else_is_blamed(
    deployed: Stack, examined: Patient, name: str
) -> None:
    service, breaking, repairing, subjects, problem = BREAKAGES[name]
    await deployed.database(service).execute(breaking)
    try:
        found = await wrong(examined)
    finally:
        await deployed.database(service).execute(repairing)

    assert found.keys() == subjects
    assert all(problem in text for text in found.values())
    assert await wrong(examined) == {}


async def test_open_door_is_found(deployed: Stack, examined: Patient) -> None:
    database = f"{deployed.prefix}_audit"
    await deployed.database("audit").execute(f'GRANT CONNECT ON DATABASE "{database}" TO booking')
    try:
        found = await wrong(examined)
    finally:
        await deployed.database("audit").execute(f'REVOKE CONNECT ON DATABASE "{database}" FROM booking')

    assert list(found) == [f"database {database}"]
    assert "lets in audit, booking" in found[f"database {database}"]


async def test_missing_topics_are_found_one_by_one(examined: Patient) -> None:
    elsewhere = replace(examined, kafka=replace(examined.kafka, topic_prefix="nobody-made-these."))

    found = await wrong(elsewhere)

    assert len(found) == 8
    assert all("plumbline topics apply" in problem for problem in found.values())


async def test_broker_database_and_service_that_are_away_are_findings(examined: Patient) -> None:
    port = free_port()
    away = replace(
        examined,
        kafka=replace(examined.kafka, bootstrap=f"127.0.0.1:{port}"),
        admin_dsn=f"postgresql://postgres:hidden@127.0.0.1:{port}/postgres",
        strings={role: f"postgresql://{role}:hidden@127.0.0.1:{port}/x" for role in examined.strings},
        urls={"booking": f"http://127.0.0.1:{port}"},
    )

    found = await wrong(away)

    assert {f"kafka at 127.0.0.1:{port}", "postgres", "database x", "service booking"} <= set(found)
    assert not [problem for problem in found.values() if "hidden" in problem or "\n" in problem]


def test_without_stack_and_without_variables_there_is_nothing_to_examine(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nothing runs from .*POSTGRES_ADMIN_DSN"):
        patient.find(Place(tmp_path, 8080), {})
