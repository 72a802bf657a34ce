"""Command line of booking. Each command is imported when it is used."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

from chassis.cli import build_cli, run_cli
from chassis.process.commands_on_demand import command, late

SERVICE = "booking"
_DATABASE = late("booking.commands.database:open_command_database")

cli = build_cli(
    "Keeps bookings: status history, payments, prices.",
    {
        "migrate": command("chassis.postgres.migrate_command:add_migrate", SERVICE, ["chassis", SERVICE]),
        "price": command("booking.commands.price:add_price"),
        "import": command("booking.commands.importing:add_import", _DATABASE),
        "serve": command("booking.main:add_serve_command"),
        "dead-letters": command(
            "chassis.dead_letters.operator.cli:add_dead_letters",
            SERVICE,
            _DATABASE,
            late("booking.commands.replaying:replay"),
        ),
        "outbox": command("chassis.relay.cli:add_outbox", _DATABASE),
    },
)


def main() -> None:
    """Run the console script."""
    run_cli(cli, failures=["pricing:InvalidRateCardError"])


if __name__ == "__main__":
    main()
