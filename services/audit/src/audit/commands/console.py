"""What the commands share: options, keys, files, a query against the database."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from audit.domain.log.keys import InvalidKeyError, KeyType, VerifierKey, parse_verifier_key
from audit.settings import LogReaderSettings
from chassis.postgres import Database
from chassis.postgres.command_query import run_query
from chassis.process.command_line import CommandError
from chassis.process.terminal import plain_reason, printable

OpenDatabase = Callable[[], Database]
ResultT = TypeVar("ResultT")

KEY_FILE_BYTES_MAX = 1_000_000

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="KEY", help="Verifier key, or a file with one a line. Give it again for more keys."
    ),
]


def parse_keys(texts: list[str]) -> tuple[VerifierKey, ...]:
    """Read verifier keys, or files with one a line.

    Raises:
        CommandError: a text is neither, or a line of a file is no key.
    """
    keys: dict[VerifierKey, None] = {}
    for text in texts:
        keys |= dict.fromkeys(_parse(text))
    return tuple(keys)


def log_keys(given: list[str] | None, settings: LogReaderSettings) -> tuple[VerifierKey, ...]:
    """Return the keys that were given, else those of the log's own signing keys.

    Raises:
        CommandError: there is none, or the settings have a key of another log.
    """
    if given:
        return parse_keys(given)
    try:
        ring = settings.key_ring
    except InvalidKeyError as error:
        raise CommandError(str(error)) from None
    if ring is None:
        raise CommandError(
            "no key to verify with: set AUDIT_SIGNING_KEY_FILE, or give the log's key as --key"
        )
    return ring.verifiers


def _parse(text: str) -> list[VerifierKey]:
    try:
        return [parse_verifier_key(text)]
    except InvalidKeyError as error:
        path = Path(text)
        if "+" in text and not path.exists():
            raise CommandError(f"--key: {error}") from None
    content = read_file(path, KEY_FILE_BYTES_MAX, "--key")
    try:
        lines = content.decode().splitlines()
        keys = [parse_verifier_key(line) for line in lines if line.strip() and not line.startswith("#")]
    except (InvalidKeyError, UnicodeDecodeError) as error:
        reason = "not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise CommandError(f"--key {printable(text)}: {reason}") from None
    if not keys:
        raise CommandError(f"--key {printable(text)}: there is no key in it")
    return keys


_TYPES = {
    KeyType.ED25519: "Ed25519",
    KeyType.ED25519_COSIGNATURE: "Ed25519 cosignature",
    KeyType.MLDSA44_COSIGNATURE: "ML-DSA-44",
}


def type_name(key: VerifierKey) -> str:
    """Return the kind of a key, for people."""
    return _TYPES[key.type]


def read_file(path: Path, bytes_max: int, option: str) -> bytes:
    """Return the content of a file.

    Raises:
        CommandError: it cannot be read, or it is larger than anything that belongs there.
    """
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        reason = plain_reason(error) if isinstance(error, OSError) else "no name of a file"
        raise CommandError(f"{option}: {reason}") from None
    if len(content) > bytes_max:
        raise CommandError(
            f"{option} {path}: more than {bytes_max:,} bytes, nothing of the kind is that large"
        )
    return content


def query(open_database: OpenDatabase, ask: Callable[[Database], Awaitable[ResultT]]) -> ResultT:
    """Run a query against audit's database.

    Raises:
        CommandError: the database does not answer.
    """
    return run_query(open_database(), ask, where="AUDIT_POSTGRES_DSN")
