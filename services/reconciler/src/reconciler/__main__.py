"""Command line of the reconciler. Each command is imported when it is used."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

from chassis.cli import build_cli, run_cli
from chassis.process.commands_on_demand import command, late

SERVICE = "reconciler"
_DATABASE = late("reconciler.commands.database:open_command_database")
_RUNS = command("reconciler.commands.runs:add_runs", _DATABASE)

cli = build_cli(
    "Compares every stored price with a fresh computation and with what was charged.",
    {
        "serve": command("reconciler.main:add_serve_command"),
        "migrate": command("chassis.postgres.migrate_command:add_migrate", SERVICE, ["chassis", SERVICE]),
        **dict.fromkeys(("run", "follow", "runs", "findings", "cancel"), _RUNS),
        "sweep": command("reconciler.commands.sweeping:add_sweep", _DATABASE),
        "card-report": command("reconciler.commands.card_report:add_card_report"),
        "exceptions": command("reconciler.commands.exceptions:add_exceptions", _DATABASE),
        "operations": command("reconciler.commands.operations:add_operations", _DATABASE),
        "dead-letters": command(
            "chassis.dead_letters.operator.cli:add_dead_letters",
            SERVICE,
            _DATABASE,
            late("reconciler.handlers.messages:apply"),
        ),
        "outbox": command("chassis.relay.cli:add_outbox", _DATABASE),
    },
)


def main() -> None:
    """Run the console script."""
    run_cli(cli, failures=["pricing:InvalidRateCardError"])


if __name__ == "__main__":
    main()
