"""Cosign the logs of others (AU-8, https://c2sp.org/tlog-witness)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from audit.adapters import witnessed_logs
from audit.domain.log.checkpoints import Checkpoint, CheckpointError, cosign_note
from audit.domain.log.keys import SigningKey
from audit.domain.log.notes import Note, SignatureLine, lines_by
from audit.domain.log.policies import Policy
from audit.domain.log.witness_requests import (
    NOTHING_SEEN,
    AddCheckpoint,
    WitnessRefusalError,
    check_continues,
    check_signed,
    parse_add_checkpoint,
    read_submitted,
)
from chassis import clock
from chassis.postgres import Database

# Requests of one log that meet: one of them is first, and the others are told so.
_ATTEMPTS_MAX = 2


@dataclass(frozen=True)
class WitnessIdentity:
    """What a witness signs with, and for whom.

    Attributes:
        signers: each of them signs.
        logs: a policy whose `log` lines are the logs that are cosigned.
    """

    signers: Sequence[SigningKey]
    logs: Policy

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """Return the known logs by the hash of their origins."""
        origins = {log.key.name for log in self.logs.logs}
        return {hashlib.sha256(origin.encode()).hexdigest(): origin for origin in origins}


async def add_checkpoint(database: Database, witness: WitnessIdentity, body: bytes) -> str:
    """Cosign a checkpoint. Return the lines, after the tree was stored.

    Args:
        database: of the witness.
        witness: its keys, and the logs that it knows.
        body: of the request.

    Raises:
        WitnessRefusalError: the request is none, the log is unknown, or its tree does not continue the last.
    """
    request = parse_add_checkpoint(body)
    submitted = read_submitted(request.note)
    keys = witness.logs.log_keys(submitted.origin)
    check_signed(request.note, keys)
    for _ in range(_ATTEMPTS_MAX):
        async with database.connection() as connection:
            seen = await witnessed_logs.read_seen(connection, submitted.origin)
        check_continues(request, submitted, seen or NOTHING_SEEN)
        lines = _cosign(witness, request, submitted)
        kept = [line for _, line in lines_by(request.note, keys)]
        note = Note(request.note.text, (*kept, *lines))
        async with database.transaction() as connection:
            if await witnessed_logs.replace_seen(connection, submitted, note, seen=seen):
                return "".join(map(str, lines))
    raise WitnessRefusalError(503, "other requests for this log were first; try again")


async def newest_checkpoint(database: Database, witness: WitnessIdentity, origin_hash: str) -> str | None:
    """Return the newest checkpoint that was cosigned of a log; None for an unknown log, or before the first.

    Args:
        database: of the witness.
        witness: knows its logs.
        origin_hash: SHA-256 of the log's origin, in hexadecimal.
    """
    origin = witness.origins.get(origin_hash)
    if origin is None:
        return None
    async with database.connection() as connection:
        return await witnessed_logs.read_note(connection, origin)


def _cosign(witness: WitnessIdentity, request: AddCheckpoint, submitted: Checkpoint) -> list[SignatureLine]:
    time = int(clock.now().timestamp())
    try:
        return [cosign_note(request.note, key, time=time) for key in witness.signers]
    except CheckpointError:
        raise WitnessRefusalError(
            400, f"the origin has {len(submitted.origin)} characters: too many"
        ) from None
