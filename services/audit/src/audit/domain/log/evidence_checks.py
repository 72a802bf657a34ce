"""Checks of a file of evidence.

`adapters/pages/verify.js` makes the same checks in a browser. A test compares both.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from audit.domain.log.checkpoints import (
    Checkpoint,
    CheckpointError,
    Verified,
    read_checkpoint,
    verify_signatures,
)
from audit.domain.log.evidence import Evidence, Payload, ProvedEntry
from audit.domain.log.evidence_history import History, history_of
from audit.domain.log.keys import VerifierKey, decode_base64
from audit.domain.log.notes import Note, NoteError, parse_note
from audit.domain.log.policies import NO_QUORUM, Policy, PolicyError, is_met, parse_policy
from audit.domain.log.tree import ProofError, hash_leaf, verify_inclusion

Result = Literal["pass", "fail", "note"]
_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `note`: it neither holds nor fails; the text says why."""

    id: str
    result: Result
    text: str


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """An entry of the file, and what its canonical form says; {} if that cannot be read."""

    entry: ProvedEntry
    is_proved: bool
    content: Mapping[str, Any]


def check_evidence(evidence: Evidence, keys: Sequence[VerifierKey] | None) -> list[Check]:
    """Return the checks of a file, in the order of the page.

    Args:
        evidence: to check.
        keys: that the caller trusts; None takes those of the file, whose owner is then unknown. With the
            log's key alone, the witnesses are those of the file.
    """
    try:
        note = parse_note(evidence.checkpoint.encode())
        checkpoint = read_checkpoint(note)
        policy = parse_policy(evidence.policy.encode())
    except (NoteError, PolicyError, UnicodeEncodeError) as error:
        return [Check("file", "fail", f"the file cannot be read: {error}")]
    if not policy.logs:
        return [Check("file", "fail", "the policy names no log")]
    entries = check_entries(evidence, checkpoint)
    checks = [
        Check("file", "pass", f"made {evidence.made_at}"),
        _signature(note, checkpoint, policy, keys),
        _witnesses(note, policy, keys),
        *_entries(entries, checkpoint, evidence.booking_id),
        *_history(history_of(each.content for each in entries)),
        *_contents(entries),
    ]
    if evidence.waiting:
        checks.append(Check("waiting", "note", f"not sealed yet: {len(evidence.waiting)}"))
    return checks


def check_entries(evidence: Evidence, checkpoint: Checkpoint) -> list[CheckedEntry]:
    """Return the entries by ascending index, each with whether its proof leads to the checkpoint."""
    checked: list[CheckedEntry] = []
    known = set[int]()
    for entry in sorted(evidence.entries, key=lambda entry: entry.index):
        content = _content(entry)
        is_proved = content is not None and entry.index not in known and _is_proved(entry, checkpoint)
        known.add(entry.index)
        checked.append(CheckedEntry(entry, is_proved, content if content and content.get("v") == 1 else {}))
    return checked


def _signature(
    note: Note, checkpoint: Checkpoint, policy: Policy, keys: Sequence[VerifierKey] | None
) -> Check:
    own = [key for key in policy.log_keys(checkpoint.origin) if keys is None or key in keys]
    try:
        verified = verify_signatures(note, own)
    except CheckpointError as error:
        return Check("signature", "fail", str(error))
    if not verified:
        whose = "of this log" if keys is None else "that you gave"
        return Check("signature", "fail", f"the checkpoint is not signed by any key {whose}")
    types = " and ".join(sorted({signed.key.type.name.removesuffix("_COSIGNATURE") for signed in verified}))
    return Check("signature", "pass", f"{checkpoint.origin}, {checkpoint.size} entries, signed with {types}")


def _witnesses(note: Note, policy: Policy, keys: Sequence[VerifierKey] | None) -> Check:
    logs = [log.key for log in policy.logs]
    is_strict = keys is not None and any(key not in logs for key in keys)
    try:
        verified = verify_signatures(note, policy.witness_keys())
    except CheckpointError as error:
        return Check("witnesses", "fail", str(error))
    counted: list[Verified] = [
        signed for signed in verified if not is_strict or (keys is not None and signed.key in keys)
    ]
    if policy.quorum == NO_QUORUM:
        return Check("witnesses", "note", "the policy of the file asks for no witness")
    # A witness with several keys has one name in all of them.
    named = {key.name for key in policy.witness_keys()}
    signed = f"{len({each.key.name for each in counted})} of {len(named)} witnesses signed it"
    if is_met(policy, counted):
        return Check("witnesses", "pass", f"{signed}, as the policy asks")
    return Check("witnesses", "note", f"only {signed}, fewer than the policy asks for")


def _entries(entries: Sequence[CheckedEntry], checkpoint: Checkpoint, booking_id: str) -> list[Check]:
    if not entries:
        return [Check("entries", "note", "no entry is sealed yet")]
    bad = [each.entry.index for each in entries if not each.is_proved]
    strange = [each.entry.index for each in entries if each.content.get("booking_id") != booking_id]
    return [
        Check(
            "entries",
            "fail",
            f"{len(bad)} of {len(entries)} are not in the log as they are here: {_few(bad)}",
        )
        if bad
        else Check("entries", "pass", f"{len(entries)} are in the log of {checkpoint.size}, unchanged"),
        Check("booking", "fail", f"entries that are not about {booking_id}: {_few(strange)}")
        if strange
        else Check("booking", "pass", f"all entries are about {booking_id}"),
    ]


def _history(history: History) -> list[Check]:
    checks: list[Check] = []
    if not history.last:
        checks.append(Check("history", "note", "there is no change of status to count"))
    elif history.missing:
        checks.append(Check("history", "fail", f"missing of 1 to {history.last}: {_few(history.missing)}"))
    else:
        checks.append(Check("history", "pass", f"changes of status 1 to {history.last} are here"))
    if history.contradictions:
        checks.append(
            Check("steps", "note", f"changes that contradict others: {_few(history.contradictions)}")
        )
    elif history.last:
        checks.append(Check("steps", "pass", "each change begins where the last one ended"))
    if history.missing_messages:
        text = f"messages of booking that are not here: {_few(history.missing_messages)}"
        checks.append(Check("messages", "note", text))
    elif history.last_message:
        checks.append(Check("messages", "pass", f"messages of booking 1 to {history.last_message} are here"))
    return checks


def _contents(entries: Sequence[CheckedEntry]) -> list[Check]:
    if not entries:
        return []
    here = [each for each in entries if isinstance(each.entry.payload, Payload)]
    bad = [each.entry.index for each in here if not _is_whole(each)]
    erased = sum(each.entry.payload == "erased" for each in entries)
    rest = f"{len(entries) - len(here) - erased} not in the file, {erased} erased or expired"
    if bad:
        return [Check("contents", "fail", f"contents that are not those recorded: {_few(bad)}")]
    if here:
        return [Check("contents", "pass", f"{len(here)} contents are those recorded, {rest}")]
    return [Check("contents", "note", f"no content can be checked: {rest}")]


def _content(entry: ProvedEntry) -> Mapping[str, Any] | None:
    """Return the canonical form as an object, {} for another value; None if it is not JSON."""
    try:
        content: object = json.loads(entry.sealed)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


def _is_proved(entry: ProvedEntry, checkpoint: Checkpoint) -> bool:
    try:
        proof = [decode_base64(each) for each in entry.proof]
        leaf = hash_leaf(entry.sealed.encode())
        verify_inclusion(leaf, entry.index, checkpoint.size, proof, checkpoint.root)
    except (ProofError, ValueError):
        return False
    return True


def _is_whole(checked: CheckedEntry) -> bool:
    payload = checked.entry.payload
    assert isinstance(payload, Payload)
    try:
        digest = hashlib.sha256(decode_base64(payload.salt) + decode_base64(payload.body)).hexdigest()
    except ValueError:
        return False
    return digest == checked.content.get("payload_digest")


def _few(numbers: Iterable[int]) -> str:
    every = list(numbers)
    more = len(every) - _SHOWN_MAX
    return ", ".join(map(str, every[:_SHOWN_MAX])) + (f" and {more} more" if more > 0 else "")
