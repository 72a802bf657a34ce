"""Command line of audit."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

from audit.commands.checkpoint import add_checkpoint
from audit.commands.erasing import add_erase
from audit.commands.evidence import add_evidence
from audit.commands.evidence_checks import add_verify_evidence
from audit.commands.exporting import add_export
from audit.commands.new_key import add_new_key
from audit.commands.prove import add_prove
from audit.commands.retention import add_retention
from audit.commands.verify import add_verify
from audit.commands.verify_proof import add_verify_proof
from audit.commands.witnesses import add_witness, add_witnesses
from audit.main import build, build_witness, open_database
from audit.settings import SERVICE, AuditSettings, OfflineSettings
from chassis.cli import add_migrate, add_serve, build_cli, run_cli
from chassis.postgres import Database
from chassis.process.local_stack import load_command_settings


def _open_database() -> Database:
    return open_database(load_command_settings(OfflineSettings, SERVICE))


cli = build_cli("Keeps the EventLog and the status histories, append-only.")
add_serve(cli, SERVICE, AuditSettings, build)
add_migrate(cli, SERVICE, packages=["chassis", SERVICE])
add_new_key(cli)
add_erase(cli)
add_retention(cli)
add_evidence(cli, open_database)
add_verify_evidence(cli)
add_export(cli, _open_database)
add_verify(cli)
add_checkpoint(cli, _open_database)
add_prove(cli, open_database)
add_verify_proof(cli)
add_witness(cli, build_witness)
add_witnesses(cli, open_database)


def main() -> None:
    """Run the console script."""
    run_cli(cli)


if __name__ == "__main__":
    main()
