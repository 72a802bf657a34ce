"""Command line of booking."""

from collections.abc import Sequence
from typing import Annotated

import typer

from booking.handlers.intake import apply
from booking.main import NAME, Duty, build, open_database
from booking.settings import BookingSettings, OfflineSettings
from chassis.cli import add_migrate, build_cli, run_cli, run_service
from chassis.dead_letters.operator.cli import add_dead_letters
from chassis.messaging.message import Message
from chassis.postgres import Connection
from chassis.process.command_line import CommandError
from chassis.process.environment import load_settings
from chassis.relay.cli import add_outbox

_ALL = ",".join(Duty)


async def _replay(connection: Connection, messages: Sequence[Message]) -> int:
    return await apply(connection, messages, world=load_settings(OfflineSettings).stripe_world)


cli = build_cli("Bookings: status history, payments, prices.")
add_migrate(cli, NAME, packages=["chassis", "booking"])
add_dead_letters(cli, NAME, lambda: open_database(load_settings(OfflineSettings)), _replay)
add_outbox(cli, lambda: open_database(load_settings(OfflineSettings)))


@cli.command()
def serve(
    only: Annotated[str, typer.Option(help="what this process does, separated by commas")] = _ALL,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    duties = _duties(only)
    settings = load_settings(BookingSettings)
    raise typer.Exit(run_service(NAME, settings, lambda: build(settings, duties)))


def _duties(only: str) -> list[Duty]:
    try:
        return [Duty(name.strip()) for name in only.split(",")]
    except ValueError:
        raise CommandError(f"--only {only}: choose from {_ALL}") from None


def main() -> None:
    """Entry point of the console script."""
    run_cli(cli)


if __name__ == "__main__":
    main()
