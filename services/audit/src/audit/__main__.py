"""Command line of audit. Each command is imported when it is used."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

from chassis.cli import build_cli, run_cli
from chassis.process.commands_on_demand import command, late

SERVICE = "audit"
_DATABASE = late("audit.commands.database:open_command_database")
_OPEN = late("audit.commands.database:open_database")

cli = build_cli(
    "Keeps the EventLog and the status histories, append-only.",
    {
        "serve": command("audit.main:add_serve_command"),
        "migrate": command("chassis.postgres.migrate_command:add_migrate", SERVICE, ["chassis", SERVICE]),
        "new-key": command("audit.commands.new_key:add_new_key"),
        "erase": command("audit.commands.erasing:add_erase"),
        "retention": command("audit.commands.retention:add_retention"),
        "evidence": command("audit.commands.evidence:add_evidence", _OPEN),
        "verify-evidence": command("audit.commands.evidence_checks:add_verify_evidence"),
        "export": command("audit.commands.exporting:add_export", _DATABASE),
        "verify": command("audit.commands.verify:add_verify"),
        "checkpoint": command("audit.commands.checkpoint:add_checkpoint", _DATABASE),
        "prove": command("audit.commands.prove:add_prove", _OPEN),
        "verify-proof": command("audit.commands.verify_proof:add_verify_proof"),
        "witness": command("audit.commands.witnesses:add_witness", late("audit.main:serve_witness")),
        "witnesses": command("audit.commands.witnesses:add_witnesses", _OPEN),
    },
)


def main() -> None:
    """Run the console script."""
    run_cli(cli)


if __name__ == "__main__":
    main()
