"""`audit verify-proof`: check a proof without a database and without a network."""

import json
import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from audit.commands.console import AsJson, Keys, parse_keys, read_file, type_name
from audit.domain.log.canonical import SEALED_BYTES_MAX
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import NoteError
from audit.domain.log.policies import POLICY_BYTES_MAX, Policy, PolicyError, is_met, parse_policy
from audit.domain.log.proofs import (
    PROOF_BYTES_MAX,
    NoEntryError,
    ProofFormatError,
    Proved,
    origin_of,
    parse_proof,
    verify_proof,
)
from audit.domain.log.tree import ProofError
from chassis.process.command_line import EXIT_NO, CommandError
from chassis.process.tables import Facts, number, print_parts
from chassis.process.terminal import print_json, printable
from contracts.metadata import format_time


def add_verify_proof(cli: typer.Typer) -> None:
    """Add the command `verify-proof`."""

    @cli.command(name="verify-proof")
    def check(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tlog-proof.")],
        *,
        key: Keys = None,
        policy: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE", help="Trust policy (C2SP tlog-policy): keys of logs, witnesses, quorum."
            ),
        ] = None,
        entry: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE", help="The entry's canonical form, where the proof does not hold it."
            ),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Check by its proof that an entry stands in a log. Needs no database and no network.

        Exit code 0: it does. 1: the proof does not show it. 2: could not check.
        """
        keys, trusted = parse_keys(key or []), None if policy is None else _policy(policy)
        if not keys and trusted is None:
            raise CommandError("no key to check with: give the log's key as --key, or a policy as --policy")
        if trusted is not None and not (keys or trusted.logs):
            raise CommandError(
                f"no key to check with: --policy {policy} has no log line: add one, or give --key"
            )
        given = None if entry is None else read_file(entry, SEALED_BYTES_MAX, "--entry")
        content = read_file(file, PROOF_BYTES_MAX, "verify-proof")
        try:
            proved = _check(content, keys, trusted, given)
        except NoEntryError as error:
            raise CommandError(f"verify-proof: {file}: {error} as --entry FILE") from None
        except _REFUSED as error:
            sys.stderr.write(f"verify-proof: {printable(str(file))}: not proved: {printable(str(error))}\n")
            raise typer.Exit(EXIT_NO) from None
        if as_json:
            print_json(_data(proved))
        else:
            print_parts(_facts(proved), "proved: the log has signed a tree that holds this entry")


class _PolicyNotMetError(Exception):
    """Too few witnesses have cosigned the checkpoint."""


_REFUSED = (NoteError, ProofError, ProofFormatError, _PolicyNotMetError)


def _policy(path: Path) -> Policy:
    try:
        return parse_policy(read_file(path, POLICY_BYTES_MAX, "--policy"))
    except PolicyError as error:
        raise CommandError(f"--policy {path}: {error}") from None


def _check(content: bytes, keys: Sequence[VerifierKey], policy: Policy | None, entry: bytes | None) -> Proved:
    proof = parse_proof(content)
    origin = origin_of(proof)
    if policy is not None:
        keys = [*keys, *policy.log_keys(origin)]
    witnesses = [] if policy is None else [key for key in policy.witness_keys() if key not in keys]
    own = list(dict.fromkeys(keys))
    proved = verify_proof(proof, own, origin=origin, entry=entry, witnesses=witnesses)
    if policy is not None and not is_met(policy, proved.signatures):
        raise _PolicyNotMetError("too few witnesses of the policy have cosigned the checkpoint")
    return proved


def _data(proved: Proved) -> dict[str, Any]:
    return {
        "verdict": "proved",
        "origin": proved.checkpoint.origin,
        "leaf_index": proved.index,
        "tree_size": proved.checkpoint.size,
        "root": b64encode(proved.checkpoint.root).decode(),
        "signed_by": [
            {"key": str(each.key), "time": None if each.time is None else _time(each.time)}
            for each in proved.signatures
        ],
        "entry": proved.entry.decode(errors="replace"),
    }


def _facts(proved: Proved) -> Facts:
    facts = Facts()
    facts.add("log", proved.checkpoint.origin)
    for name, value in entry_facts(proved.entry):
        facts.add(name, value)
    facts.add("leaf", f"{number(proved.index)} of {number(proved.checkpoint.size)}")
    for each in proved.signatures:
        at = "" if each.time is None else f", {_time(each.time)}"
        facts.add("signed by", f"{each.key.name}, {type_name(each.key)} ({each.key.id.hex()}){at}")
    return facts


def entry_facts(entry: bytes) -> list[tuple[str, str]]:
    """Return the members of an entry, by name; what is not in the canonical form as one text."""
    text = entry.decode(errors="replace")
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        return [("entry", text)]
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in cast("dict[str, object]", members).items()
        if value is not None
    ]


def _time(seconds: int) -> str:
    try:
        return format_time(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"
