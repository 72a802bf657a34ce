"""The commands `run`, `runs`, `follow`, `findings` and `cancel`."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.login import Actor, login_name
from chassis.process.progress import Progress
from chassis.process.terminal import printable
from contracts.text import sanitize_for_postgres
from reconciler.adapters.run_queries import RunRecord
from reconciler.api.run_responses import FindingPage, finding_items, run_item, run_items
from reconciler.commands.console import (
    AsJson,
    Limit,
    OpenDatabase,
    interruptible,
    print_result,
    query,
)
from reconciler.commands.run_progress import show_run
from reconciler.commands.run_tables import finding_table, run_table
from reconciler.domain.scopes import FORMS, Scope, ScopeError, parse_scope
from reconciler.handlers import run_queries
from reconciler.handlers.run_cancellation import (
    RunEndedError,
    UnknownRunError,
    cancel_run,
    ended_line,
)
from reconciler.handlers.run_requests import request_run
from reconciler.handlers.run_waiting import NotQueuedError, wait_for_run

_DSN = "Reads RECONCILER_POSTGRES_DSN."

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as `runs` shows it.")]
FailOnDrift = Annotated[
    bool, typer.Option("--fail-on-drift", help="Wait. Exit with 1 if a booking drifted or errored.")
]


def add_runs(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the commands to the reconciler's command line."""
    _add_run(cli, open_database)
    _add_follow(cli, open_database)
    _add_runs(cli, open_database)
    _add_findings(cli, open_database)
    _add_cancel(cli, open_database)


def _add_run(cli: typer.Typer, open_database: OpenDatabase) -> None:
    @cli.command(help=f"Request a run; a running service executes it. {_DSN}")
    def run(
        *,
        scope: Annotated[str, typer.Option(metavar="SCOPE", help=f"What to read: {FORMS}.")] = "all",
        dry_run: Annotated[
            bool,
            typer.Option("--dry-run", help="Wait, and show the findings. The queue does not change."),
        ] = False,
        wait: Annotated[bool, typer.Option("--wait", help="Wait until the run has ended.")] = False,
        fail_on_drift: FailOnDrift = False,
        as_json: AsJson = False,
    ) -> None:
        parsed_scope = _parse_scope(scope)

        async def request(database: Database) -> RunRecord:
            async with database.transaction() as connection:
                return await request_run(
                    connection,
                    trigger="cli",
                    requested_by=login_name(),
                    scope=parsed_scope,
                    is_dry_run=dry_run,
                )

        requested = query(open_database, request)
        if wait or dry_run or fail_on_drift:
            _follow(open_database, requested.id, fail_on_drift=fail_on_drift, as_json=as_json)
            return
        item = run_item(requested)
        print_result(item, run_table([item]), _how_to_follow(requested.id), as_json=as_json)


def _add_follow(cli: typer.Typer, open_database: OpenDatabase) -> None:
    @cli.command(help=f"Show the progress of a run until it has ended. {_DSN}")
    def follow(run_id: RunId, *, fail_on_drift: FailOnDrift = False, as_json: AsJson = False) -> None:
        _follow(open_database, _parse_id(run_id), fail_on_drift=fail_on_drift, as_json=as_json)


def _add_runs(cli: typer.Typer, open_database: OpenDatabase) -> None:
    @cli.command(help=f"List runs, newest first. {_DSN}")
    def runs(*, limit: Limit = PAGE_ROWS_DEFAULT, as_json: AsJson = False) -> None:
        async def read(database: Database) -> tuple[Sequence[RunRecord | UnreadableRow], int]:
            listed = await run_queries.list_runs(database, before=None, rows_max=limit)
            return listed, await run_queries.count_runs(database)

        listed, total = query(open_database, read)
        items = run_items(listed)
        table = run_table(items)
        table.count(len(items), total, "runs")
        print_result({"items": items}, table, as_json=as_json)


def _add_findings(cli: typer.Typer, open_database: OpenDatabase) -> None:
    @cli.command(help=f"List the findings of a dry run, high first. {_DSN}")
    def findings(run_id: RunId, *, limit: Limit = PAGE_ROWS_DEFAULT, as_json: AsJson = False) -> None:
        parsed = _parse_id(run_id)

        async def read(database: Database) -> FindingPage:
            run = await _known_run(database, parsed)
            if not run.is_dry_run:
                raise CommandError(
                    f"run {parsed} was no dry run: its findings are exceptions, see `reconciler exceptions`"
                )
            return await _findings(database, parsed, limit)

        page = query(open_database, read, UnknownRunError)
        print_result(page, finding_table(page), as_json=as_json)


def _add_cancel(cli: typer.Typer, open_database: OpenDatabase) -> None:
    @cli.command(help=f"Cancel a run: a requested one at once, a running one at its next page. {_DSN}")
    def cancel(run_id: RunId, *, actor: Actor, as_json: AsJson = False) -> None:
        parsed, name = _parse_id(run_id), sanitize_for_postgres(actor)

        async def ask(database: Database) -> RunRecord:
            async with database.transaction() as connection:
                return await cancel_run(connection, parsed, cancelled_by=name)

        run = query(open_database, ask, UnknownRunError, RunEndedError)
        item = run_item(run)
        line = "cancelled" if run.status == "cancelled" else "it ends at its next page"
        print_result(item, run_table([item]), line, as_json=as_json)


def _follow(open_database: OpenDatabase, run_id: str, *, fail_on_drift: bool, as_json: bool) -> None:
    """Wait for the end of a run, show it, and exit as its outcome demands."""

    async def wait(database: Database) -> tuple[RunRecord, FindingPage | None]:
        await _known_run(database, run_id)
        with Progress() as progress:
            run = await wait_for_run(database, run_id, show=lambda run: show_run(progress, run))
        return run, await _findings(database, run_id, PAGE_ROWS_DEFAULT) if run.is_dry_run else None

    run, findings = interruptible(
        lambda: query(open_database, wait, NotQueuedError, UnknownRunError),
        f"no longer waiting; the run goes on. {_how_to_follow(run_id)}",
    )
    item = run_item(run)
    data: Any = item if findings is None else {**item, "findings": findings}
    tables = [run_table([item]), *([] if findings is None else [finding_table(findings)])]
    print_result(data, *tables, as_json=as_json)
    if run.status != "completed":
        raise CommandError(printable(ended_line(run)))
    if fail_on_drift and (run.drifted or run.errored):
        raise typer.Exit(EXIT_NO)


async def _known_run(database: Database, run_id: str) -> RunRecord:
    run = await run_queries.get_run(database, run_id)
    if run is None:
        raise UnknownRunError(f"there is no run {run_id}")
    return run


async def _findings(database: Database, run_id: str, rows_max: int) -> FindingPage:
    listed = await run_queries.list_findings(database, run_id, after=None, rows_max=rows_max)
    return {
        "items": finding_items(listed.rows),
        "summary": {
            "total": listed.total,
            "by_type": listed.by_type,
            "by_severity": listed.by_severity,
        },
        "next_cursor": None,
    }


def _parse_scope(text: str) -> Scope:
    try:
        return parse_scope(text)
    except ScopeError as error:
        raise CommandError(f"--scope: {error}") from None


def _parse_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise CommandError(f"{text[:40]!a} is no id of a run: `reconciler runs` lists them") from None


def _how_to_follow(run_id: str) -> str:
    return f"follow it with `reconciler follow {run_id}`, end it with `reconciler cancel {run_id}`"
