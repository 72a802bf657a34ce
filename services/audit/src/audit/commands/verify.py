"""`audit verify`: the whole log against its signed checkpoints."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.commands.console import AsJson, Keys, log_keys, read_file, type_name
from audit.domain.log.checkpoints import Checkpoint, open_checkpoint
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import NOTE_BYTES_MAX, NoteError
from audit.domain.log.tampering import Finding
from audit.handlers.kept_checkpoints import CheckpointFileError
from audit.handlers.verification import (
    AlteredSchemaError,
    NothingSealedError,
    Request,
    Verification,
    verify_log,
)
from audit.settings import SERVICE, LogReaderSettings
from chassis.postgres import DATABASE_ERRORS
from chassis.process.command_line import EXIT_NO, CommandError, database_failure
from chassis.process.local_stack import load_command_settings
from chassis.process.progress import Progress
from chassis.process.tables import Column, Facts, Table, number, print_parts
from chassis.process.terminal import print_json

FINDINGS_SHOWN_MAX = 20
FILES_NAMED_MAX = 3


def add_verify(cli: typer.Typer) -> None:
    """Add the command `verify`."""

    @cli.command()
    def verify(
        *,
        since: Annotated[
            Path | None,
            typer.Option(
                metavar="CHECKPOINT", help="File of a checkpoint that you trust: verify what came after it."
            ),
        ] = None,
        against: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="Kept checkpoints to compare with; default AUDIT_CHECKPOINT_DIR."
            ),
        ] = None,
        key: Keys = None,
        as_json: AsJson = False,
    ) -> None:
        """Verify the whole log against every checkpoint that it has signed.

        Exit code 0: intact. 1: tampered; says the first bad index and the class. 2: could not check.
        Without --key the keys are those of AUDIT_SIGNING_KEY and AUDIT_MLDSA_KEY. Reads AUDIT_POSTGRES_DSN,
        changes nothing.
        """
        settings = load_command_settings(LogReaderSettings, SERVICE)
        keys = log_keys(key, settings)
        origin = settings.audit_log_origin or keys[0].name
        if not any(each.name == origin for each in keys):
            names = ", ".join(sorted({each.name for each in keys}))
            raise CommandError(f"--key: a key of {names}; the log is {origin}: give a key of that name")
        request = Request(
            dsn=settings.audit_postgres_dsn.get_secret_value(),
            origin=origin,
            keys=keys,
            directory=against or settings.audit_checkpoint_dir,
            since=None if since is None else _read_checkpoint(since, keys, origin),
        )
        began = time.monotonic()
        result = _verify(request)
        if as_json:
            print_json(_data(result, request, time.monotonic() - began))
        else:
            print_parts(*_shown(result, request, time.monotonic() - began))
        if result.findings:
            raise typer.Exit(EXIT_NO)


def _read_checkpoint(path: Path, keys: tuple[VerifierKey, ...], origin: str) -> Checkpoint:
    content = read_file(path, NOTE_BYTES_MAX, "--since")
    try:
        return open_checkpoint(content, keys, origin=origin)[0]
    except NoteError as error:
        raise CommandError(f"--since {path}: {error}") from None


def _verify(request: Request) -> Verification:
    try:
        with Progress() as progress:

            def show(done: int, total: int) -> None:
                progress.show(f"verify: {done:,} of {total:,} entries", done, total)

            return asyncio.run(verify_log(request, show))
    except (CheckpointFileError, NothingSealedError) as error:
        raise CommandError(f"verify: could not check: {error}") from error
    except AlteredSchemaError as error:
        raise CommandError(
            f"verify: could not check: tables are not as the migrations make them: {error};"
            " run `audit migrate` if some are missing, else see the runbook log-tampered.md"
        ) from error
    except DATABASE_ERRORS as error:
        raise database_failure("verify: could not check: AUDIT_POSTGRES_DSN", error) from error


def _data(result: Verification, request: Request, seconds: float) -> dict[str, Any]:
    first = result.findings[0] if result.findings else None
    return {
        "verdict": "intact" if first is None else "tampered",
        "origin": result.origin,
        "tree_size": result.leaves,
        "root": b64encode(result.root).decode(),
        "signed_by": [str(signed.key) for signed in result.signatures],
        "since": None if request.since is None else request.since.size,
        "verified": result.verified,
        "waiting": result.waiting,
        "payloads": result.payloads,
        "erased": result.verified - result.payloads,
        "checkpoints": result.kept,
        "outside_checkpoints": result.outside,
        "files_left_out": [str(path) for path in result.strange],
        "first_bad_index": None if first is None else first.index,
        "class": None if first is None else first.kind.value,
        "bad": result.bad,
        "findings": [
            {
                "class": finding.kind.value,
                "leaf_index": finding.index,
                "entry_id": finding.entry_id,
                "detail": finding.detail,
            }
            for finding in result.findings
        ],
        "seconds": round(seconds, 3),
    }


def _shown(result: Verification, request: Request, seconds: float) -> list[Facts | Table | str]:
    facts = Facts()
    facts.add("log", result.origin)
    facts.add("sealed", f"{number(result.leaves)} entries; {number(result.waiting)} more wait to be sealed")
    since = "" if request.since is None else f", from leaf {number(result.leaves - result.verified)} on"
    facts.add("verified", f"{number(result.verified)} entries in {seconds:.1f} s{since}")
    facts.add(
        "payloads", f"{number(result.payloads)} are there; {number(result.verified - result.payloads)} erased"
    )
    facts.add("root", b64encode(result.root).decode())
    signers = [f"{type_name(signed.key)} ({signed.key.id.hex()})" for signed in result.signatures]
    facts.add("signed by", ", ".join(signers) or "no known key")
    facts.add(
        "kept", f"{number(result.kept)} checkpoints, {number(result.outside)} of them outside the database"
    )
    if result.strange:
        names = ", ".join(path.name for path in result.strange[:FILES_NAMED_MAX])
        names += ", …" if len(result.strange) > FILES_NAMED_MAX else ""
        facts.add(
            "left out", f"{number(len(result.strange))} files that are no checkpoints of this log: {names}"
        )
    if not result.findings:
        warning = (
            ""
            if result.outside
            else ". No checkpoint outside the database was compared: name some with --against"
        )
        return [facts, f"intact{warning}"]
    first = result.findings[0]
    table = findings_table(result.findings, result.bad)
    return [facts, table, _verdict(first), f"What to do: {first.kind.advice}."]


def findings_table(findings: Sequence[Finding], bad: int) -> Table:
    """Return what is not as it was signed; `bad` is how many of it there is."""
    table = Table(
        Column("leaf", right=True),
        Column("entry", right=True),
        Column("class"),
        Column("detail", wraps=30),
        empty="nothing was found",
    )
    for finding in findings[:FINDINGS_SHOWN_MAX]:
        table.add(_number(finding.index), _number(finding.entry_id), finding.kind.value, finding.detail)
    table.count(min(len(findings), FINDINGS_SHOWN_MAX), bad, "findings", more="--json shows more")
    return table


def _verdict(first: Finding) -> str:
    where = "no leaf can be named" if first.index is None else f"first bad index {first.index}"
    return f"tampered: {where}: {first.kind.value}: {first.kind.sentence}."


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
