"""`audit evidence`: write the evidence of one booking to a file (AU-9)."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from audit.domain.identifiers import booking_identifier
from audit.domain.log.evidence_policy import evidence_policy
from audit.domain.log.keys import InvalidKeyError, VerifierKey, parse_verifier_key
from audit.handlers.evidence import (
    EvidenceFile,
    EvidenceRequest,
    NothingSealedError,
    TooManyEntriesError,
    WrongProofsError,
    make_evidence,
)
from audit.settings import SERVICE, LogReaderSettings
from chassis.postgres import DATABASE_ERRORS, Database
from chassis.process.command_line import EXIT_NO, CommandError, database_failure
from chassis.process.local_stack import load_command_settings
from chassis.process.login import login_name
from chassis.process.terminal import plain_reason, printable

_NOT_SEALED = "not sealed yet: {0}; sealing takes a second or two: make the file again to have them in it"


def add_evidence(cli: typer.Typer, open_database: Callable[[LogReaderSettings], Database]) -> None:
    """Add the command `evidence`."""

    @cli.command()
    def evidence(
        *,
        booking: Annotated[str, typer.Option(help="Id of the booking.")],
        out: Annotated[
            Path | None, typer.Option(help="File to write; else evidence-<booking>.html here.")
        ] = None,
        with_payloads: Annotated[
            bool,
            typer.Option("--with-payloads", help="Add the contents of messages: they hold personal data."),
        ] = False,
        key: Annotated[
            list[str] | None,
            typer.Option(help="Verifier key of the log, for a machine that has no AUDIT_SIGNING_KEY."),
        ] = None,
    ) -> None:
        """Write the entries of a booking, with their proofs, into one page that checks itself in a browser.

        Reads AUDIT_POSTGRES_DSN, and AUDIT_SIGNING_KEY and AUDIT_MLDSA_KEY for their public halves. The log
        records that the file was made, with your login name. Exit code 1 for a booking without entries.
        """
        settings = load_command_settings(LogReaderSettings, SERVICE)
        booking_id = booking_identifier(booking)
        keys = _log_keys(key or [], settings)
        request = EvidenceRequest(
            booking_id,
            evidence_policy(keys, None),
            keys,
            actor=login_name(),
            through="cli",
            with_payloads=with_payloads,
        )
        file = _made(open_database(settings), request)
        if file is None:
            typer.echo(f"the log knows of no booking {printable(booking)}", err=True)
            raise typer.Exit(EXIT_NO)
        path = out or Path(f"evidence-{booking_id.replace(':', '-')}.html")
        try:
            path.write_bytes(file.content)
        except OSError as error:
            raise CommandError(plain_reason(error)) from error
        typer.echo(f"{printable(str(path))}: {file.proved} entries proved")
        if file.waiting:
            typer.echo(_NOT_SEALED.format(file.waiting), err=True)


def _made(database: Database, request: EvidenceRequest) -> EvidenceFile | None:
    async def run() -> EvidenceFile | None:
        try:
            await database.start()
            return await make_evidence(database, database, request)
        finally:
            await database.stop()

    try:
        return asyncio.run(run())
    except NothingSealedError:
        raise CommandError(
            "nothing is sealed yet: start the service with AUDIT_SIGNING_KEY, and try again in some seconds"
        ) from None
    except WrongProofsError as error:
        raise CommandError(
            f"the log does not lead to its checkpoint ({error}): run `audit verify`"
        ) from error
    except TooManyEntriesError as error:
        raise CommandError(f"{error}: export them with `audit export --booking-id`") from error
    except DATABASE_ERRORS as error:
        raise database_failure("AUDIT_POSTGRES_DSN", error) from error


def _log_keys(given: Sequence[str], settings: LogReaderSettings) -> Sequence[VerifierKey]:
    try:
        keys = [parse_verifier_key(text) for text in given]
    except InvalidKeyError as error:
        raise CommandError(f"--key: {error}") from error
    if not keys and settings.key_ring is None:
        raise CommandError("AUDIT_SIGNING_KEY is not set: set it, or give the log's public key with --key")
    return keys or (settings.key_ring.verifiers if settings.key_ring else ())
