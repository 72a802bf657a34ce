"""The command `new-key`: draw a signing key of the log."""

import secrets
from enum import StrEnum
from typing import Annotated

import typer

from audit.domain.log.keys import KeyType, SigningKey, is_key_name
from chassis.process.command_line import CommandError

_SEED_BYTES = 32


class Kind(StrEnum):
    """Kinds of keys that sign checkpoints."""

    ED25519 = "ed25519"
    MLDSA = "ml-dsa-44"


_TYPES = {Kind.ED25519: KeyType.ED25519, Kind.MLDSA: KeyType.MLDSA44_COSIGNATURE}


def add_new_key(cli: typer.Typer) -> None:
    """Add the command to audit's command line."""

    @cli.command(name="new-key")
    def new_key(
        origin: Annotated[
            str, typer.Argument(metavar="ORIGIN", help="Name of the log, e.g. example.com/audit.")
        ],
        kind: Annotated[Kind, typer.Option("--type", help="Type of the key.")] = Kind.ED25519,
    ) -> None:
        """Print a new secret signing key, for the file of AUDIT_SIGNING_KEY_FILE or AUDIT_MLDSA_KEY_FILE.

        Keep it out of other people's sight: (umask 077; audit new-key example.com/audit > signing.key)
        """
        if not is_key_name(origin):
            raise CommandError(f"{origin!a}: a name has no space, no plus sign and no control character")
        typer.echo(SigningKey(origin, _TYPES[kind], secrets.token_bytes(_SEED_BYTES)).encode())
