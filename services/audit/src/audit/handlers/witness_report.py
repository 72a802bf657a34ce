"""What the witnesses of our log have cosigned, for people (`audit witnesses`)."""

from dataclasses import dataclass
from datetime import datetime

from audit.adapters import log_cosignatures, log_witnesses
from audit.adapters.log_witnesses import WitnessState
from audit.domain.log.checkpoints import read_checkpoint
from audit.domain.log.policies import Policy
from audit.handlers.cosigning import newest_cosigned
from chassis.postgres import Database
from chassis.process.terminal import printable


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """One witness of the policy.

    Attributes:
        key_id: of its key, in hexadecimal.
        tree_size: the largest tree that this key has cosigned; 0 if it has cosigned none.
        cosigned_at: when it cosigned that tree.
        error: why the witness did not cosign when it was last asked.
        failing_since: since when it does not cosign.
    """

    name: str
    url: str | None
    key_id: str
    tree_size: int
    cosigned_at: datetime | None
    error: str | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class WitnessReport:
    """The witnesses, the size of the log, and that of the largest tree which the quorum has cosigned."""

    quorum: str
    tree_size: int
    cosigned_size: int
    witnesses: list[WitnessLine]


async def report_witnesses(database: Database, policy: Policy) -> WitnessReport:
    """Return what is known of each witness of the policy."""
    async with database.connection() as connection:
        head = await log_cosignatures.read_head(connection)
        newest = await newest_cosigned(connection, policy)
        states = await log_witnesses.read(connection)
        lines: list[WitnessLine] = []
        for witness in policy.witnesses:
            state = states.get(witness.url or "", WitnessState())
            size, cosigned_at = await log_cosignatures.newest_of(connection, witness.key.name, witness.key.id)
            lines.append(
                WitnessLine(
                    printable(witness.name),
                    None if witness.url is None else printable(witness.url),
                    witness.key.id.hex(),
                    size,
                    cosigned_at,
                    state.error,
                    state.failing_since,
                )
            )
    return WitnessReport(
        quorum=printable(policy.quorum),
        tree_size=head.size if head else 0,
        cosigned_size=read_checkpoint(newest).size if newest else 0,
        witnesses=lines,
    )
