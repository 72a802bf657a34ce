"""Answers of a witness to `add-checkpoint`, as the log reads them (https://c2sp.org/tlog-witness)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from audit.domain.log.checkpoints import Verified, verify_signatures
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import Note, NoteError, parse_signatures
from audit.domain.log.witness_requests import parse_size

SIZE_TYPE = "text/x.tlog.size"
RETRY_SECONDS_MAX = 60.0
_DOUBLINGS_MAX = 10


class Outcome(StrEnum):
    """What became of a request to a witness; label of the metric."""

    COSIGNED = "cosigned"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    UNKNOWN_LOG = "unknown_log"
    UNKNOWN_KEY = "unknown_key"
    INCONSISTENT = "inconsistent"
    AHEAD = "ahead"
    INVALID_ANSWER = "invalid_answer"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness cosigned: verified signatures of its known keys, at least one."""

    signatures: tuple[Verified, ...]


@dataclass(frozen=True, slots=True)
class HasSeen:
    """The witness has cosigned a tree of another size than the request said."""

    size: int


@dataclass(frozen=True, slots=True)
class NotCosigned:
    """The witness did not cosign. The sentence says what to do; it has no text of the witness."""

    outcome: Outcome
    sentence: str


Answer = Cosigned | HasSeen | NotCosigned

_FAILURES: Mapping[int, NotCosigned] = {
    400: NotCosigned(
        Outcome.FAILED, "it does not understand the request (400): is its address that of a witness?"
    ),
    403: NotCosigned(
        Outcome.UNKNOWN_KEY,
        "it does not know the key of this log (403): give its operator the keys of /log/keys",
    ),
    404: NotCosigned(
        Outcome.UNKNOWN_LOG, "it does not know this log (404): give its operator the keys of /log/keys"
    ),
    422: NotCosigned(
        Outcome.INCONSISTENT,
        "it says that this log does not continue the tree that it has cosigned (422): run `audit verify`,"
        " and compare with the checkpoints kept outside",
    ),
}


def read_answer(
    status: int, media_type: str, body: bytes, *, submitted: Note, keys: Sequence[VerifierKey]
) -> Answer:
    """Return what an answer means.

    Args:
        status: of the answer.
        media_type: its Content-Type; empty if there is none.
        body: its body.
        submitted: the checkpoint that was sent.
        keys: the known keys of the witness.
    """
    if status == 200:  # noqa: PLR2004 - OK
        return _cosignatures(body, submitted, keys)
    if status == 409 and media_type.partition(";")[0].strip().lower() == SIZE_TYPE:  # noqa: PLR2004 - Conflict
        size = parse_size(body)
        return (
            NotCosigned(Outcome.INVALID_ANSWER, "its size is no number (409)")
            if size is None
            else HasSeen(size)
        )
    return _FAILURES.get(status) or NotCosigned(Outcome.FAILED, f"it answered {status}")


def ahead(size: int, own_size: int) -> NotCosigned:
    """Return the result for a witness that has seen a larger tree than there is."""
    return NotCosigned(
        Outcome.AHEAD,
        f"it has cosigned a tree of {size}, and this log has {own_size}: the log was set back, or another log"
        " has its keys",
    )


def retry_seconds(failures: int, *, interval: float) -> float:
    """Return how long to wait after so many failures in a row, at least `interval`."""
    doubled = interval * 2 ** min(failures - 1, _DOUBLINGS_MAX)
    return max(interval, min(doubled, RETRY_SECONDS_MAX))


def _cosignatures(body: bytes, submitted: Note, keys: Sequence[VerifierKey]) -> Cosigned | NotCosigned:
    try:
        lines = parse_signatures(body.decode())
        verified = verify_signatures(Note(submitted.text, lines), keys)
    except (NoteError, UnicodeDecodeError):
        return NotCosigned(Outcome.INVALID_ANSWER, "its cosignature is not one of this checkpoint")
    # One line of each key; without a time it would not say that the witness had seen no larger tree.
    timed = {signed.key: signed for signed in verified if signed.time}
    if not timed:
        return NotCosigned(
            Outcome.INVALID_ANSWER,
            "it answered without a cosignature of the key in the policy: compare its key",
        )
    return Cosigned(tuple(timed.values()))
