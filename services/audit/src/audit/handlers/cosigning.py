"""Cosignatures of witnesses on our log (AU-8): ask for them, keep them, and find the quorum."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.adapters import log_cosignatures, log_tiles, log_witnesses
from audit.adapters.log_cosignatures import Submission
from audit.domain.log.checkpoints import CheckpointError, verify_signatures
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import Note, parse_note
from audit.domain.log.policies import Policy, has_quorum, is_met
from audit.domain.log.tiles import range_hash, tiles_of
from audit.domain.log.tree import consistency_ranges
from audit.domain.log.witness_answers import Cosigned, HasSeen, NotCosigned, Outcome, ahead
from audit.domain.log.witness_requests import AddCheckpoint
from chassis.postgres import Connection, Database
from chassis.process.terminal import printable

if TYPE_CHECKING:  # the HTTP client takes as long to import as all else that a command uses
    from audit.adapters.witness_client import WitnessClient

_PAGE_ROWS = 500
# The second request begins at the size that the witness has named.
_REQUESTS_MAX = 2
_MOVED = NotCosigned(
    Outcome.FAILED, "its tree changed between two requests: does another process submit this log?"
)


@dataclass(frozen=True, slots=True)
class WitnessSite:
    """A witness at its address. It may sign with several keys, each with a name in the policy."""

    url: str
    names: tuple[str, ...]
    keys: tuple[VerifierKey, ...]

    @property
    def name(self) -> str:
        return "+".join(self.names)


def sites_of(policy: Policy) -> list[WitnessSite]:
    """Return the witnesses of a policy that have an address, in the order of their first lines."""
    sites: list[WitnessSite] = []
    for url in dict.fromkeys(witness.url for witness in policy.witnesses if witness.url):
        at_url = [witness for witness in policy.witnesses if witness.url == url]
        # A name is any octets, and is shown in logs and metrics.
        names = [printable(witness.name) for witness in at_url]
        keys = [witness.key for witness in at_url]
        sites.append(WitnessSite(url, tuple(names), tuple(keys)))
    return sites


async def needs_cosignature(connection: Connection, site: WitnessSite, size: int) -> bool:
    """Return whether no key of the witness has cosigned the tree of this size."""
    keys = [(key.name, key.id) for key in site.keys]
    return not await log_cosignatures.is_cosigned(connection, size, keys)


async def ask(
    database: Database, client: "WitnessClient", site: WitnessSite, submission: Submission
) -> Cosigned | NotCosigned:
    """Ask a witness to cosign a checkpoint, and keep what it says.

    Args:
        database: of audit.
        client: sends the requests.
        site: the witness.
        submission: a signed checkpoint of our log.
    """
    answer = await _ask(database, client, site, submission)
    async with database.transaction() as connection:
        match answer:
            case Cosigned(signatures):
                await log_cosignatures.insert(connection, submission, signatures)
                await log_witnesses.note_cosigned(connection, site.url, submission.size)
            case NotCosigned(_, sentence):
                await log_witnesses.note_failed(connection, site.url, sentence)
    return answer


async def cosigned_note(connection: Connection, size: int) -> Note | None:
    """Return our signed checkpoint of this size with all its cosignatures; None if no such one is kept."""
    note = await log_cosignatures.read_note(connection, size)
    return None if note is None else parse_note(note.encode())


async def newest_cosigned(connection: Connection, policy: Policy, *, above: int = 0) -> Note | None:
    """Return the checkpoint of the largest tree that the policy's quorum has cosigned; None if there is none.

    Args:
        connection: of audit's database.
        policy: says which witnesses count.
        above: trees of this size and less are not looked at.
    """
    below = sys.maxsize
    while page := await log_cosignatures.cosigned_sizes(
        connection, above=above, below=below, rows_max=_PAGE_ROWS
    ):
        for cosigned in page:
            keys = [key for key in policy.witness_keys() if (key.name, key.id) in cosigned.keys]
            note = await cosigned_note(connection, cosigned.size) if has_quorum(policy, keys) else None
            if note is not None and _is_met(policy, note):
                return note
        below = page[-1].size
    return None


async def _ask(
    database: Database, client: "WitnessClient", site: WitnessSite, submission: Submission
) -> Cosigned | NotCosigned:
    note = parse_note(submission.note.encode())
    async with database.connection() as connection:
        known = (await log_witnesses.read(connection)).get(site.url)
    # A size of our own that the log no longer has is as good as none: the witness names its own.
    old_size = known.size if known and known.size <= submission.size else 0
    for _ in range(_REQUESTS_MAX):
        proof = await _consistency_proof(database, old_size, submission.size)
        answer = await client.add_checkpoint(site.url, AddCheckpoint(old_size, proof, note), site.keys)
        if not isinstance(answer, HasSeen):
            return answer
        if answer.size > submission.size:
            return ahead(answer.size, submission.size)
        old_size = answer.size
    return _MOVED


async def _consistency_proof(database: Database, old_size: int, size: int) -> tuple[bytes, ...]:
    ranges = consistency_ranges(old_size, size)
    if not ranges:
        return ()
    async with database.connection() as connection:
        tiles = await log_tiles.read_tiles(connection, tiles_of(ranges), size)
    return tuple(range_hash(leaves, lambda key: tiles[key]) for leaves in ranges)


def _is_met(policy: Policy, note: Note) -> bool:
    # Rows can be changed by those who own the database: signatures are verified again.
    try:
        return is_met(policy, verify_signatures(note, policy.witness_keys()))
    except CheckpointError:
        return False
