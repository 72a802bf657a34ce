"""Run the day on a running stack, print the tables and the result of the checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chassis.process.tables import print_parts
from plumbline.demo import tables
from plumbline.demo.corrupt import Corruption, corrupt, history_can_be_changed
from plumbline.demo.day import MONEY_FATES, BookingState, Fate, plan
from plumbline.demo.outcome import Observer, Outcome, problems
from plumbline.demo.play import Office, PlayedBooking, play_attacks, play_booking, play_messages
from plumbline.demo.queue_work import WorkedException, work_off, work_problems
from plumbline.demo.sealed_log import LogAccess, log_parts, log_problems, verify_log
from plumbline.demo.senders import Senders, Sent

REQUEST_SECONDS_MAX = 15.0


@dataclass(frozen=True, slots=True)
class DemoStack:
    """Addresses and secrets of a running stack, from `stack.json`.

    Attributes:
        urls: service → base URL.
        secrets: the webhook secrets stripe, sms_legacy and sms.
        booking_admin_dsn: connects to database `booking`, as a role that may become its owner.
        log: access to the audit log.
    """

    urls: Mapping[str, str]
    secrets: Mapping[str, str]
    booking_admin_dsn: str
    log: LogAccess


async def run_day(stack: DemoStack, console: Console) -> list[str]:
    """Play the day and print the tables. Return the problems, one line each, empty if there are none."""
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS_MAX, trust_env=False) as http:
        senders = Senders(http, stack.urls["webhook-gateway"], dict(stack.secrets))
        observer = Observer(http, stack.urls)
        with _progress(console) as progress:
            bookings = await _play(Office(http, stack.urls["booking"]), senders, progress)
            task = progress.add_task("waiting for the effects of all events", total=1)
            await observer.wait_until_settled(senders.sent, bookings)
            # A falsified total changes the payment status that booking derives.
            states = await observer.states(bookings)
            progress.advance(task)
            corrupted, outcome, worked = await _reconcile(stack, observer, bookings, states, progress)
            task = progress.add_task("verifying the log, and a tampered copy", total=1)
            verdicts = await verify_log(stack.log)
            progress.advance(task)
    tables.show(console, senders.sent, bookings, corrupted, outcome, worked)
    print_parts(*log_parts(verdicts), console=console)
    console.print()
    problem_lines = [
        *problems(senders.sent, bookings, corrupted, outcome),
        *work_problems(worked),
        *log_problems(verdicts),
    ]
    _print_result(console, senders.sent, corrupted, problem_lines)
    return problem_lines


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<42}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


async def _play(office: Office, senders: Senders, progress: Progress) -> list[PlayedBooking]:
    planned = plan(datetime.now(UTC))  # noqa: TID251 - the office's calendar
    task = progress.add_task("creating bookings", total=len(planned))
    bookings: list[PlayedBooking] = []
    for booking in planned:
        bookings.append(await office.book(booking))
        progress.advance(task)
    task = progress.add_task("payments, cancellations, visits", total=len(bookings))
    for played in bookings:
        await play_booking(office, senders, played)
        progress.advance(task)
    task = progress.add_task("text messages, forged deliveries", total=2)
    await play_messages(senders)
    progress.advance(task)
    victim = next(booking for booking in bookings if booking.plan.fate is Fate.HALF_PAID)
    await play_attacks(senders, victim)
    progress.advance(task)
    return bookings


async def _reconcile(
    stack: DemoStack,
    observer: Observer,
    bookings: Sequence[PlayedBooking],
    states: dict[str, BookingState],
    progress: Progress,
) -> tuple[Mapping[str, Corruption], Outcome, list[WorkedException]]:
    task = progress.add_task("falsifying prices, reconciling, repairing", total=4)
    corrupted = await corrupt(stack.booking_admin_dsn, bookings)
    progress.advance(task)
    run = await observer.reconcile()
    anomalies = sum(b.plan.fate is Fate.PAID_AFTER_CANCELLATION for b in bookings)
    exceptions = await observer.exceptions(at_least=len(corrupted) + anomalies)
    progress.advance(task)
    worked = await work_off(observer, stack.booking_admin_dsn, corrupted, exceptions)
    progress.advance(task)
    completed = next(b.booking_id for b in bookings if b.plan.fate is Fate.COMPLETED)
    history_safe = not await history_can_be_changed(stack.booking_admin_dsn, completed)
    outcome = Outcome(
        entries=await observer.entries_with("reconciliation.run-completed", at_least=2),
        states=states,
        payments=await observer.payments(
            b.booking_id for fate in MONEY_FATES for b in bookings if b.plan.fate is fate
        ),
        history=await observer.history(completed),
        exceptions=exceptions,
        run=run,
        history_safe=history_safe,
    )
    progress.advance(task)
    return corrupted, outcome, worked


def _print_result(
    console: Console, sent: Sequence[Sent], corrupted: Mapping[str, Corruption], problem_lines: Sequence[str]
) -> None:
    if not problem_lines:
        genuine = len({delivery.event_id for delivery in sent if delivery.genuine})
        refused = sum(not delivery.genuine for delivery in sent)
        console.print(
            f"[bold green]All is well:[/] each of {genuine} genuine events is in the EventLog exactly once; "
            f"{refused} forged or stale ones were refused and are on record; all {len(corrupted)} falsified "
            "prices were found, and no others; one was mended, one accepted, and one came back. The log is "
            "intact, and a tampered copy of it was found."
        )
        return
    console.print(f"[bold red]{len(problem_lines)} checks failed:[/]")
    for line in problem_lines:
        console.print(f"  {line}", markup=False)
