"""`outbox status`, the same in every service that publishes: backlog and owner of each shard."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from chassis.postgres.command_query import run_query
from chassis.postgres.database import Database
from chassis.process.command_line import EXIT_NO
from chassis.process.tables import Column, Table, number, print_parts
from chassis.process.terminal import print_json
from chassis.relay.status import ShardBacklog, ShardOwner, read_backlog, read_owners

COUNTED_ROWS_MAX = 1_000
"""Per shard. An operator needs to know whether rows wait, and since when."""
OLDER_THAN_SECONDS_DEFAULT = 60.0
"""Rows exist for milliseconds, or for seconds while another replica takes over the shards of a dead one."""
NO_OWNER = (
    "no relay owns a shard: either Kafka does not answer (a relay then owns none), or no relay runs;"
    " /health/ready of the service says which"
)


def add_outbox(cli: typer.Typer, open_database: Callable[[], Database]) -> None:
    """Add the command group to a service's command line.

    Args:
        cli: command line of the service.
        open_database: returns the service's database, not yet started; reads the environment.
    """
    group = typer.Typer(no_args_is_help=True)

    # Without a callback Typer would merge a single command into its group, and drop the word `status`.
    @group.callback()
    def outbox() -> None:
        pass

    @group.command(
        help="Show the unsent events of each shard and the relay that owns the shard. Exit code 1 if the "
        "oldest event has waited for too long, 2 if the database does not answer."
    )
    def status(
        *,
        older_than: Annotated[
            float, typer.Option(min=0, metavar="SECONDS", help="Exit with 1 if the oldest event is older.")
        ] = OLDER_THAN_SECONDS_DEFAULT,
        as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    ) -> None:
        report = build_report(*_read(open_database()), counted_max=COUNTED_ROWS_MAX)
        if as_json:
            print_json(report)
        else:
            _print(report)
        if (report["oldest_unsent_seconds"] or 0.0) > older_than:
            raise typer.Exit(EXIT_NO)

    cli.add_typer(group, name="outbox", help="Events on their way to Kafka: backlog and relays.")


def build_report(
    backlog: Sequence[ShardBacklog], owners: Mapping[int, ShardOwner], *, counted_max: int
) -> dict[str, Any]:
    """Return the object that `--json` prints: totals, and a member per shard.

    `unsent_rows` is a lower bound if a shard reaches `counted_max`. Ages are in seconds, null without rows.
    An owner is null if no relay owns the shard.
    """
    ages = [shard.oldest_seconds for shard in backlog if shard.oldest_seconds is not None]
    return {
        "unsent_rows": sum(shard.rows for shard in backlog),
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
            for shard in backlog
        ],
    }


def _read(database: Database) -> tuple[list[ShardBacklog], dict[int, ShardOwner]]:
    async def read(started: Database) -> tuple[list[ShardBacklog], dict[int, ShardOwner]]:
        async with started.transaction(readonly=True) as connection:
            backlog = await read_backlog(connection, rows_max=COUNTED_ROWS_MAX)
            return backlog, await read_owners(connection)

    return run_query(database, read)


def _print(report: dict[str, Any]) -> None:
    table = Table(
        Column("shard", right=True),
        Column("unsent", right=True),
        Column("oldest", right=True),
        Column("owner"),
        Column("pid", right=True, leaves=3),
        Column("address", leaves=2),
        Column("since", leaves=1),
        empty="there is no shard",
    )
    for shard in report["shards"]:
        counts = _count(shard["unsent_rows"]), _age(shard["oldest_unsent_seconds"])
        table.add(str(shard["shard"]), *counts, *_owner(shard["owner"]))
    total = _count(report["unsent_rows"], full=any(map(_full, report["shards"])))
    oldest = report["oldest_unsent_seconds"]
    waits = "no event waits" if oldest is None else f"{total} unsent, the oldest for {_age(oldest)}"
    owned = f"{report['owned_shards']} of {len(report['shards'])} shards owned"
    print_parts(table, *([] if report["owned_shards"] else [NO_OWNER]), f"{waits}; {owned}")


def _full(shard: dict[str, Any]) -> bool:
    return shard["unsent_rows"] >= COUNTED_ROWS_MAX


def _count(rows: int, *, full: bool | None = None) -> str:
    at_least = rows >= COUNTED_ROWS_MAX if full is None else full
    return f"{number(rows)}{'+' if at_least else ''}"


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.1f} s"


def _owner(owner: ShardOwner | None) -> tuple[str, str, str, str]:
    """Return name, pid, address and time of a connection."""
    if owner is None:
        return "nobody", "", "", ""
    since = f"{owner.connected_at:%Y-%m-%d %H:%M:%S}Z"
    return owner.application_name, str(owner.pid), owner.address or "socket", since
