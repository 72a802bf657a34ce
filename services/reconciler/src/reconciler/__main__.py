"""Command line of the reconciler."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

from chassis.cli import add_migrate, add_serve, build_cli, run_cli
from chassis.dead_letters.operator.cli import add_dead_letters
from chassis.postgres import Database
from chassis.process.local_stack import load_command_settings
from chassis.relay.cli import add_outbox
from pricing import InvalidRateCardError
from reconciler.commands.card_report import add_card_report
from reconciler.commands.exceptions import add_exceptions
from reconciler.commands.operations import add_operations
from reconciler.commands.runs import add_runs
from reconciler.commands.sweeping import add_sweep
from reconciler.handlers import messages
from reconciler.main import build, open_database
from reconciler.settings import SERVICE, OfflineSettings, ReconcilerSettings


def _open_database() -> Database:
    return open_database(load_command_settings(OfflineSettings, SERVICE))


cli = build_cli("Compares every stored price with a fresh computation and with what was charged.")
add_serve(cli, SERVICE, ReconcilerSettings, build)
add_migrate(cli, SERVICE, packages=["chassis", SERVICE])
add_runs(cli, _open_database)
add_exceptions(cli, _open_database)
add_sweep(cli, _open_database)
add_card_report(cli)
add_operations(cli, _open_database)
add_dead_letters(cli, SERVICE, _open_database, messages.apply)
add_outbox(cli, _open_database)


def main() -> None:
    """Run the console script."""
    run_cli(cli, failures=[InvalidRateCardError])


if __name__ == "__main__":
    main()
