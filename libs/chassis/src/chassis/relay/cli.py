"""`outbox status`, the same in every service that publishes: what waits to be sent, and who moves it."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from chassis.postgres.database import DATABASE_ERRORS, Database
from chassis.process.command_line import EXIT_NO, database_failure
from chassis.process.terminal import print_json, printable
from chassis.relay.status import Owner, Waiting, read_owners, read_waiting

COUNTED_ROWS_MAX = 1_000
"""Per shard: what a person needs to know is whether rows wait, and since when."""
OLDER_THAN_SECONDS_DEFAULT = 60.0
"""Rows live for milliseconds, and for seconds while a replica takes a dead one's shards over."""
PIPED_CHARACTERS = 120


def add_outbox(cli: typer.Typer, open_database: Callable[[], Database]) -> None:
    """Add the command group to a service's command line.

    Args:
        cli: the service's.
        open_database: the service's own, not yet started; reads the environment.
    """
    group = typer.Typer(no_args_is_help=True)

    # Typer makes of a single command the group itself; a callback keeps `status` a word of its own.
    @group.callback()
    def outbox() -> None:
        pass

    @group.command(
        help="What waits to be sent, shard by shard, and which relay owns the shard; exit code 1 if the "
        "oldest event has waited for too long, 2 if the database does not answer."
    )
    def status(
        *,
        older_than: Annotated[
            float, typer.Option(min=0, metavar="SECONDS", help="The age from which the answer is no.")
        ] = OLDER_THAN_SECONDS_DEFAULT,
        as_json: Annotated[bool, typer.Option("--json", help="For programs: one line.")] = False,
    ) -> None:
        found = shape(*_read(open_database()), counted_max=COUNTED_ROWS_MAX)
        if as_json:
            print_json(found)
        else:
            _print(found)
        if (found["oldest_unsent_seconds"] or 0.0) > older_than:
            raise typer.Exit(EXIT_NO)

    cli.add_typer(group, name="outbox", help="Events on their way to Kafka: what waits, and who moves it.")


def shape(waiting: Sequence[Waiting], owners: Mapping[int, Owner], *, counted_max: int) -> dict[str, Any]:
    """What `--json` prints: totals, and a member per shard.

    `unsent_rows` is a floor where `counted_max` of a shard are reached; ages are in seconds, and null where
    nothing waits; an owner is null where no relay holds the shard.
    """
    ages = [shard.oldest_seconds for shard in waiting if shard.oldest_seconds is not None]
    return {
        "unsent_rows": sum(shard.rows for shard in waiting),
        "oldest_unsent_seconds": max(ages, default=None),
        "counted_per_shard_max": counted_max,
        "owned_shards": len(owners),
        "shards": [
            {
                "shard": shard.shard,
                "unsent_rows": shard.rows,
                "oldest_unsent_seconds": shard.oldest_seconds,
                "owner": owners.get(shard.shard),
            }
            for shard in waiting
        ],
    }


def _read(database: Database) -> tuple[list[Waiting], dict[int, Owner]]:
    """Both answers of one moment; what stands in the way is one line."""

    async def read() -> tuple[list[Waiting], dict[int, Owner]]:
        try:
            await database.start()
            async with database.transaction(readonly=True) as connection:
                waiting = await read_waiting(connection, rows_max=COUNTED_ROWS_MAX)
                return waiting, await read_owners(connection)
        finally:
            await database.stop()

    try:
        return asyncio.run(read())
    except DATABASE_ERRORS as error:
        raise database_failure(database.name, error) from error


def _print(found: dict[str, Any]) -> None:
    """For people: one row a shard."""
    table = Table(Column("shard", justify="right"), box=SIMPLE)
    for name in ("unsent", "oldest"):
        table.add_column(name, justify="right")
    table.add_column("owner", no_wrap=True)
    for shard in found["shards"]:
        table.add_row(
            str(shard["shard"]),
            _count(shard["unsent_rows"]),
            _age(shard["oldest_unsent_seconds"]),
            Text(printable(_owner(shard["owner"]))),  # a session names itself as it likes
        )
    Console(width=None if sys.stdout.isatty() else PIPED_CHARACTERS).print(table)
    total = _count(found["unsent_rows"], full=any(map(_full, found["shards"])))
    oldest = _age(found["oldest_unsent_seconds"]) or "none"
    typer.echo(
        f"{total} unsent, oldest {oldest}, {found['owned_shards']} of {len(found['shards'])} shards owned"
    )


def _full(shard: dict[str, Any]) -> bool:
    return shard["unsent_rows"] >= COUNTED_ROWS_MAX


def _count(rows: int, *, full: bool | None = None) -> str:
    at_least = rows >= COUNTED_ROWS_MAX if full is None else full
    return f"{rows}{'+' if at_least else ''}"


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def _owner(owner: Owner | None) -> str:
    if owner is None:
        return "nobody"
    since = f"{owner.connected_at:%Y-%m-%d %H:%M:%S}Z"
    return f"{owner.application_name} pid {owner.pid} at {owner.address or 'socket'} since {since}"
