"""`audit witnesses`: who cosigns our log. `audit witness`: cosign the logs of others (docs/witnesses.md)."""

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from audit.adapters.policy_files import WITNESS_POLICY, read_policy_file
from audit.commands.console import query
from audit.domain.log.keys import InvalidKeyError
from audit.domain.log.witness_keys import WITNESS_TYPES, new_witness_keys
from audit.handlers.witness_report import WitnessLine, WitnessReport, report_witnesses
from audit.settings import SERVICE, OfflineSettings, WitnessSettings
from chassis.postgres import Database
from chassis.process.command_line import CommandError
from chassis.process.environment import load_settings
from chassis.process.local_stack import load_command_settings
from chassis.process.tables import Column, Table, number, print_parts
from chassis.process.terminal import plain_reason, print_json
from contracts.metadata import format_time


def add_witnesses(cli: typer.Typer, open_database: Callable[[OfflineSettings], Database]) -> None:
    """Add the command `witnesses`."""

    @cli.command()
    def witnesses(
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    ) -> None:
        """Show the witnesses of our log: what each has cosigned last, and why it does not.

        Reads AUDIT_POSTGRES_DSN and AUDIT_WITNESS_POLICY_FILE.
        """
        settings = load_command_settings(OfflineSettings, SERVICE)
        if settings.audit_witness_policy_file is None:
            raise CommandError(f"{WITNESS_POLICY} is not set: no witness is asked (docs/witnesses.md)")
        policy = read_policy_file(settings.audit_witness_policy_file, variable=WITNESS_POLICY)
        report = query(lambda: open_database(settings), lambda database: report_witnesses(database, policy))
        if as_json:
            print_json(_as_data(report))
        else:
            print_parts(witness_table(report.witnesses), _summary(report))


def add_witness(cli: typer.Typer, serve_until_signal: Callable[[WitnessSettings], int]) -> None:
    """Add the commands `witness serve` and `witness new-key`."""
    witness = typer.Typer(help="Cosign the logs of others.", no_args_is_help=True)
    cli.add_typer(witness, name="witness")

    @witness.command()
    def serve() -> None:
        """Run a witness (C2SP tlog-witness) until SIGTERM or Ctrl-C.

        Reads AUDIT_POSTGRES_DSN, AUDIT_WITNESS_KEY and AUDIT_WITNESS_LOGS_FILE.
        """
        raise typer.Exit(serve_until_signal(load_settings(WitnessSettings)))

    @witness.command(name="new-key")
    def new_key(
        name: Annotated[str, typer.Argument(help="Name of the witness, such as witness.example.com/w1.")],
        file: Annotated[Path, typer.Argument(help="New file for the signing keys; keep it secret.")],
    ) -> None:
        """Write new signing keys of a witness to a file, and print their verifier keys, one a line."""
        try:
            keys = new_witness_keys(name, [secrets.token_bytes(32) for _ in WITNESS_TYPES])
        except InvalidKeyError as error:
            raise CommandError(str(error)) from None
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise CommandError(f"{file}: there is a file already; keys are never replaced") from None
        except OSError as error:
            raise CommandError(plain_reason(error)) from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.writelines(f"{key.encode()}\n" for key in keys)
        sys.stdout.writelines(f"{key.verifier}\n" for key in keys)


def _as_data(report: WitnessReport) -> dict[str, object]:
    times = ("cosigned_at", "failing_since")
    lines = [
        {
            name: format_time(value) if name in times and value else value
            for name, value in asdict(line).items()
        }
        for line in report.witnesses
    ]
    return {**asdict(report), "witnesses": lines}


def witness_table(witnesses: Sequence[WitnessLine]) -> Table:
    """Return the witnesses of a policy as a table."""
    table = Table(
        Column("name"),
        Column("url", wraps=30, leaves=2),
        Column("key", leaves=1),
        Column("cosigned", right=True),
        Column("at"),
        Column("since", leaves=3),
        Column("error", wraps=40),
        empty="the policy names no witness",
    )
    for line in witnesses:
        table.add(
            line.name,
            line.url or "",
            line.key_id,
            number(line.tree_size),
            format_time(line.cosigned_at) if line.cosigned_at else "never",
            format_time(line.failing_since) if line.failing_since else "",
            line.error or ("" if line.url else "the policy has no address of it: it is not asked"),
        )
    return table


def _summary(report: WitnessReport) -> str:
    cosigned = number(report.cosigned_size) if report.cosigned_size else "none"
    return f"quorum {report.quorum}: {cosigned} of {number(report.tree_size)} entries are cosigned"
