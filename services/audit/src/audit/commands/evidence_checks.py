"""`audit verify-evidence`: check a file of evidence without a database and without a network (AU-9)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.commands.console import AsJson, Keys, parse_keys, read_file
from audit.domain.log.evidence import (
    FILE_BYTES_MAX,
    Evidence,
    EvidenceError,
    evidence_files,
    read_evidence,
)
from audit.domain.log.evidence_checks import Check, check_evidence
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.tables import Column, Table, print_parts
from chassis.process.terminal import plain_reason, print_json, printable

_FAILED = "a check failed: do not rely on this file"
_NOTHING = "nothing is proved: no entry of the booking was sealed when the file was made"
_HOLDS = "the evidence holds; docs/evidence.md says what that does not prove"
_FOR_PROGRAMS = {_FAILED: "failed", _NOTHING: "nothing-proved", _HOLDS: "holds"}


def add_verify_evidence(cli: typer.Typer) -> None:
    """Add the command `verify-evidence`."""

    @cli.command(name="verify-evidence")
    def verify_evidence(
        file: Annotated[Path, typer.Argument(help="File that `audit evidence` wrote.")],
        *,
        key: Keys = None,
        extract: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="Also write entries, .tlog-proof files, checkpoint and policy here."
            ),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Check a file of evidence: signatures, proofs and completeness. Needs no database and no network.

        With the log's key alone, witnesses count by the keys in the file. Exit code 1 if a check fails, or if
        nothing is proved.
        """
        keys = parse_keys(key or [])
        if not keys:
            raise CommandError(
                "no key to check with: give the log's key as --key, as the company published it"
            )
        evidence = _read(file)
        if extract is not None:
            _extract(evidence, extract)
        checks = check_evidence(evidence, keys)
        if as_json:
            print_json(_data(evidence, checks))
        else:
            print_parts(checks_table(checks), _verdict(checks))
        if _verdict(checks) != _HOLDS:
            raise typer.Exit(EXIT_NO)


def _read(file: Path) -> Evidence:
    try:
        return read_evidence(read_file(file, FILE_BYTES_MAX, "verify-evidence"))
    except EvidenceError as error:
        raise CommandError(f"{printable(str(file))}: {error}") from error


def _extract(evidence: Evidence, folder: Path) -> None:
    try:
        files = evidence_files(evidence)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            # A file that is there stays: it may be another booking's.
            with (folder / name).open("xb") as target:
                target.write(content)
    except FileExistsError as error:
        raise CommandError(f"{error.filename}: there is a file already; name a new folder") from error
    except EvidenceError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(plain_reason(error)) from error


def _data(evidence: Evidence, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "verdict": _FOR_PROGRAMS[_verdict(checks)],
        "booking_id": evidence.booking_id,
        "made_at": evidence.made_at,
        "checks": [{"check": each.id, "result": each.result, "text": each.text} for each in checks],
    }


def _verdict(checks: Sequence[Check]) -> str:
    if any(check.result == "fail" for check in checks):
        return _FAILED
    return _HOLDS if any(check.id == "entries" and check.result == "pass" for check in checks) else _NOTHING


def checks_table(checks: Sequence[Check]) -> Table:
    """Return checks as a table."""
    table = Table(Column("check"), Column("result"), Column("says", wraps=40), empty="nothing was checked")
    for check in checks:
        table.add(check.id, check.result, printable(check.text))
    return table
