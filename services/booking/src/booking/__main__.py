"""Command line of booking."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

from collections.abc import Sequence
from typing import Annotated

import typer

from booking.commands.importing import add_import
from booking.commands.price import add_price
from booking.handlers import messages
from booking.main import WorkerRole, build, open_database
from booking.settings import SERVICE, BookingSettings, OfflineSettings
from chassis.cli import add_migrate, build_cli, run_cli, run_service
from chassis.dead_letters.operator.cli import add_dead_letters
from chassis.messaging.message import Message
from chassis.postgres import Connection, Database
from chassis.process.command_line import CommandError
from chassis.process.environment import load_settings
from chassis.process.local_stack import load_command_settings
from chassis.relay.cli import add_outbox
from pricing import InvalidRateCardError

_ALL = ",".join(WorkerRole)


async def _replay(connection: Connection, replayed: Sequence[Message]) -> int:
    settings = load_command_settings(OfflineSettings, SERVICE)
    return await messages.apply(
        connection,
        replayed,
        world=settings.stripe_world,
        fetches_objects=settings.stripe_api_key is not None,
    )


def _open_database() -> Database:
    return open_database(load_command_settings(OfflineSettings, SERVICE))


cli = build_cli("Keeps bookings: status history, payments, prices.")
add_migrate(cli, SERVICE, packages=["chassis", SERVICE])
add_dead_letters(cli, SERVICE, _open_database, _replay)
add_outbox(cli, _open_database)
add_price(cli)
add_import(cli, _open_database)


@cli.command()
def serve(
    only: Annotated[str, typer.Option(help="Work of this process, separated by commas.")] = _ALL,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    roles = _parse_roles(only)
    settings = load_settings(BookingSettings)
    raise typer.Exit(run_service(SERVICE, settings, lambda: build(settings, roles)))


def _parse_roles(only: str) -> list[WorkerRole]:
    try:
        return [WorkerRole(name.strip()) for name in only.split(",")]
    except ValueError:
        raise CommandError(f"--only {only}: choose from {_ALL}") from None


def main() -> None:
    """Run the console script."""
    run_cli(cli, failures=[InvalidRateCardError])


if __name__ == "__main__":
    main()
