"""What a run reads, what a dry run leaves alone, how a run is cancelled, and what its figures must say."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from chassis import clock
from harness import Infra, start_services
from integration.reconciler.reconciler_bookings import PRICE, corrupt, insert_bookings
from integration.reconciler.stepped_runs import PAGE_ROWS, Steps, stepping
from reconciler.adapters import booking_view
from reconciler.domain.runs import ATTEMPTS_MAX, ActiveRun
from reconciler.handlers.execution import claim_run, note_failure
from reconciler.handlers.run_cancellation import RunEndedError, cancel_run

WRONG = "total = 15000"
RIGHT = f"total = {PRICE}"
# Midnight of 1 March in Chicago is 06:00 UTC.
MARCH = datetime(2031, 3, 1, 6, 0, tzinfo=UTC)
APRIL = datetime(2031, 4, 1, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROLE = "reconciler_booking_view"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Steps]:
    async with start_services(infra) as stack, stepping(stack) as steps:
        yield steps


@pytest.fixture
async def steps(own: Steps) -> AsyncGenerator[Steps]:
    """Yield the steps, and delete the test's bookings: each test counts its own."""
    yield own
    async with own.stack.database("booking").without_triggers("booking.booking") as connection:
        await connection.execute("DELETE FROM booking.booking")


async def move(steps: Steps, booking_id: str, starts_at: datetime) -> None:
    await corrupt(steps.stack, booking_id, "starts_at = $2, ends_at = $3", starts_at, starts_at + HOUR)


async def test_run_of_a_scope_reads_and_resolves_nothing_outside_of_it(steps: Steps) -> None:
    ids = await insert_bookings(steps.stack, 7)
    for booking in ids:
        await corrupt(steps.stack, booking, WRONG)
    for booking, starts_at in ((ids[1], MARCH), (ids[4], APRIL - HOUR), (ids[5], APRIL)):
        await move(steps, booking, starts_at)
    await move(steps, ids[6], MARCH - HOUR)
    assert (await steps.run()).scanned == len(ids)
    for booking in ids:
        await corrupt(steps.stack, booking, RIGHT)

    month = await steps.run("month:2031-03")
    assert (month.status, month.scanned, month.clean, month.error) == ("completed", 2, 2, None)
    resolved = {ids[1], ids[4]}
    assert {key for key, status in (await steps.statuses(ids)).items() if status == "resolved"} == resolved

    one = await steps.run(f"booking:{ids[0]}")
    assert (one.status, one.scope, one.scanned) == ("completed", f"booking:{ids[0]}", 1)
    resolved.add(ids[0])
    assert {key for key, status in (await steps.statuses(ids)).items() if status == "resolved"} == resolved


async def test_run_since_a_time_reads_what_changed_since_then(steps: Steps) -> None:
    ids = await insert_bookings(steps.stack, 5)
    since = clock.now()
    await corrupt(steps.stack, ids[3], f"{WRONG}, updated_at = now()")
    run = await steps.run(f"since:{since.isoformat()}")
    assert (run.status, run.scanned, run.drifted) == ("completed", 1, 1)
    assert list(await steps.statuses(ids)) == [ids[3]]


async def test_slow_page_ends_early_and_the_next_goes_on_there(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booking_view, "SLICE_ROWS", 1)
    monkeypatch.setattr(booking_view, "SHORT_OF_SECONDS", -1.0)
    first, *_ = ids = await insert_bookings(steps.stack, 3)
    step = await steps.page(await steps.begin())
    assert isinstance(step, ActiveRun)
    assert step.after_booking_id == first
    run = await steps.finish(step)
    assert (run.status, run.scanned) == ("completed", len(ids))


async def test_booking_that_left_the_view_is_resolved_by_its_own_run_only(steps: Steps) -> None:
    gone, other = ids = await insert_bookings(steps.stack, 2)
    for booking in ids:
        await corrupt(steps.stack, booking, WRONG)
    await steps.run()
    async with steps.stack.database("booking").without_triggers("booking.booking") as connection:
        await connection.execute(
            "DELETE FROM booking.booking WHERE booking_id = ANY($1::uuid[])", [gone, other]
        )
    await steps.run("month:2026-11")
    assert await steps.statuses(ids) == {gone: "open", other: "open"}
    await steps.run(f"booking:{gone}")
    assert await steps.statuses(ids) == {gone: "resolved", other: "open"}


async def test_dry_run_shows_everything_and_changes_nothing(steps: Steps) -> None:
    known, fresh, unreadable, mended, *_ = ids = await insert_bookings(steps.stack, 5)
    await corrupt(steps.stack, known, WRONG)
    await corrupt(steps.stack, mended, WRONG)
    await steps.run()
    before = await steps.session.fetch("SELECT * FROM exception ORDER BY id")
    await corrupt(steps.stack, mended, RIGHT)
    await corrupt(steps.stack, fresh, WRONG)
    await corrupt(steps.stack, unreadable, "pricing = '{}'")
    await steps.session.execute("DELETE FROM outbox")

    run = await steps.run(is_dry_run=True)
    assert (run.status, run.is_dry_run, run.scanned, run.drifted, run.errored) == (
        "completed",
        True,
        len(ids),
        2,
        1,
    )
    findings = await steps.session.fetch("SELECT booking_id, type FROM run_finding WHERE run_id = $1", run.id)
    assert {row["booking_id"]: row["type"] for row in findings} == {
        known: "pricing_drift",
        fresh: "pricing_drift",
        unreadable: "not_evaluable",
    }
    assert await steps.session.fetch("SELECT * FROM exception ORDER BY id") == before
    about = {row["key"].decode() for row in await steps.session.fetch("SELECT key FROM outbox")}
    assert about == {run.id}


async def test_running_run_is_cancelled_at_its_next_page(steps: Steps) -> None:
    await insert_bookings(steps.stack, 2 * PAGE_ROWS + 1)
    run = await steps.begin()
    after = await steps.page(run)
    assert isinstance(after, ActiveRun)
    for name in ("ana", "bob"):
        asked = await cancel_run(steps.session, run.run_id, cancelled_by=name)
        assert (asked.status, asked.cancelled_by) == ("running", "ana")
    assert await steps.page(after) == "cancelled"
    ended = await steps.record(run)
    assert (ended.status, ended.cancelled_by, ended.scanned) == ("cancelled", "ana", PAGE_ROWS)
    assert ended.finished_at is not None
    with pytest.raises(
        RunEndedError, match=rf"was cancelled by ana at {ended.finished_at:%Y-%m-%dT%H:%M:%S}Z"
    ):
        await cancel_run(steps.session, run.run_id, cancelled_by="bob")
    assert (await steps.run()).status == "completed"


@pytest.mark.parametrize(
    ("falsify", "line"),
    [
        (
            "UPDATE run SET clean = clean - 1, skipped = skipped + 1 WHERE status = 'running'",
            "clean 4 in the run, 5 over its pages",
        ),
        ("UPDATE run_sum SET charged = charged + 1", "charged 66001 USD in the run, 66000 over its pages"),
        ("DELETE FROM reconciler.run_page WHERE page = 2", "pages 3 in the run, 2 recorded; 1 pages do not"),
    ],
)
async def test_run_whose_figures_disagree_fails_and_says_which(steps: Steps, falsify: str, line: str) -> None:
    await insert_bookings(steps.stack, 2 * PAGE_ROWS + 1)
    run = await steps.begin()
    step: ActiveRun | str = run
    for _ in range(3):
        assert isinstance(step, ActiveRun)
        step = await steps.page(step)
    await steps.stack.database("reconciler").execute(falsify)
    assert isinstance(step, ActiveRun)
    ended = await steps.finish(step)
    assert ended.status == "failed"
    assert line in (ended.error or "")
    assert len((ended.error or "").splitlines()) == 1


async def test_completed_run_leaves_no_records_of_pages(steps: Steps) -> None:
    await insert_bookings(steps.stack, PAGE_ROWS + 1)
    run = await steps.run()
    assert run.status == "completed"
    assert run.progress is not None
    assert (run.progress.checked, run.progress.estimated_percent) == (PAGE_ROWS + 1, 100)
    assert await steps.session.fetchval("SELECT count(*) FROM run_page WHERE run_id = $1", run.id) == 0


@pytest.mark.parametrize(
    ("damage", "repair", "attempts", "line"),
    [
        (
            "ALTER VIEW booking.reconciliation_v1 RENAME COLUMN held TO kept",
            "ALTER VIEW booking.reconciliation_v1 RENAME COLUMN kept TO held",
            1,
            '"held" does not exist',
        ),
        (
            f"REVOKE SELECT ON booking.reconciliation_v1 FROM {ROLE}",
            f"GRANT SELECT ON booking.reconciliation_v1 TO {ROLE}",
            ATTEMPTS_MAX,
            f"given up after {ATTEMPTS_MAX} attempts: ViewRefusedError: permission denied",
        ),
    ],
    ids=["no column", "no right"],
)
async def test_view_that_cannot_be_read_fails_the_run(
    steps: Steps, damage: str, repair: str, attempts: int, line: str
) -> None:
    await insert_bookings(steps.stack)
    run = await steps.begin()
    booking = steps.stack.database("booking")
    await booking.execute(damage)
    try:
        tried = 0
        claimed: ActiveRun | None = run
        while claimed is not None:
            tried += 1
            try:
                await steps.page(claimed)
            except Exception as error:  # noqa: BLE001 - as the executor does
                await note_failure(steps.session, claimed, error)
            claimed = await claim_run(steps.session)
    finally:
        await booking.execute(repair)
    ended = await steps.record(run)
    assert (ended.status, tried) == ("failed", attempts)
    assert line in (ended.error or "")


async def test_run_without_progress_for_a_day_fails(steps: Steps) -> None:
    run = await steps.begin()
    await steps.session.execute(
        "UPDATE run SET started_at = now() - interval '25 hours' WHERE id = $1::uuid", run.run_id
    )
    assert await claim_run(steps.session) is None
    ended = await steps.record(run)
    assert ended.status == "failed"
    assert "24 hours without a page" in (ended.error or "")
