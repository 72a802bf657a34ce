"""Files of evidence made from the pure core, without a service: the same in every run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from audit.domain.digest import payload_digest
from audit.domain.log.canonical import StoredEntry, sealed_form
from audit.domain.log.checkpoints import Checkpoint, cosign, sign_checkpoint
from audit.domain.log.evidence import Evidence, Leaf, WaitingEntry, encode_payload, prove_entries
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.notes import Note
from audit.domain.log.tiles import TILE_WIDTH, TileKey
from audit.domain.log.tree import hash_leaf, root_of

BOOKING_ID = "01936f1e-8f00-7c3a-9d2b-6d1f0a4c2e11"
OTHER_ID = "01936f1e-8f00-7c3a-9d2b-6d1f0a4c2e12"
ORIGIN = "plumbline.example/audit"
AT = datetime(2026, 3, 8, 14, 2, 11, 120000, tzinfo=UTC)
TIME = 1_772_978_600

LOG_KEY = SigningKey(ORIGIN, KeyType.ED25519, b"l" * 32)
LOG_MLDSA_KEY = SigningKey(ORIGIN, KeyType.MLDSA44_COSIGNATURE, b"m" * 32)
WITNESS_KEYS = [
    SigningKey(f"witness-{name}.example", KeyType.ED25519_COSIGNATURE, name.encode() * 32) for name in "abc"
]
WITNESS_MLDSA_KEY = SigningKey(WITNESS_KEYS[0].name, KeyType.MLDSA44_COSIGNATURE, b"p" * 32)
"""Second key of the first witness."""
STRANGER = SigningKey(ORIGIN, KeyType.ED25519, b"s" * 32)

STATUSES = ("pending", "confirmed", "started", "completed")


@dataclass
class SampleLog:
    """A log in memory. `payloads` by index."""

    sealed: list[bytes] = field(default_factory=list[bytes])
    payloads: dict[int, tuple[bytes, bytes]] = field(default_factory=dict[int, tuple[bytes, bytes]])

    def append(self, event_type: str, metadata: dict[str, Any], *, booking_id: str = BOOKING_ID) -> int:
        index = len(self.sealed)
        salt, body = index.to_bytes(32, "big"), f'{{"note":"content {index}"}}'.encode()
        entry = StoredEntry(
            entry_id=index + 100,
            recorded_at=AT + timedelta(seconds=index),
            occurred_at=AT,
            event_type=event_type,
            status="success",
            source="stripe" if event_type.startswith("stripe.") else "booking",
            event_id=f"event-{index}",
            booking_id=booking_id,
            actor="operator-7",
            error=None,
            metadata=msgspec.json.encode(metadata).decode(),
            topic="bookings.events.v1",
            partition=0,
            offset=index,
            correlation_id=None,
            causation_id=None,
            payload_digest=payload_digest(salt, body),
        )
        self.sealed.append(sealed_form(entry))
        self.payloads[index] = (salt, body)
        return index

    def others(self, count: int) -> None:
        for _ in range(count):
            self.append("stripe.charge.succeeded", {"body_bytes": 1}, booking_id=OTHER_ID)

    def transition(self, version: int, sequence: int) -> None:
        to_status = STATUSES[min(version, len(STATUSES)) - 1]
        if version == 1:
            self.append("booking.created", {"version": 1, "status": to_status, "sequence": sequence})
        else:
            metadata = {"version": version, "from_status": self._status(version), "to_status": to_status}
            self.append("booking.status-changed", {**metadata, "sequence": sequence})

    @staticmethod
    def _status(version: int) -> str:
        return STATUSES[min(version - 1, len(STATUSES)) - 1]

    def hashes_of(self) -> Callable[[TileKey], Sequence[bytes]]:
        leaves = [hash_leaf(each) for each in self.sealed]

        @cache
        def level(number: int) -> list[bytes]:
            if number == 0:
                return leaves
            below = level(number - 1)
            return [
                root_of(below[at : at + TILE_WIDTH])
                for at in range(0, len(below) - TILE_WIDTH + 1, TILE_WIDTH)
            ]

        return lambda key: level(key.level)[key.number * TILE_WIDTH : (key.number + 1) * TILE_WIDTH]

    def checkpoint(self, keys: Sequence[SigningKey] = (LOG_KEY, LOG_MLDSA_KEY)) -> Note:
        root = root_of([hash_leaf(each) for each in self.sealed])
        checkpoint = Checkpoint(ORIGIN, len(self.sealed), root)
        note = sign_checkpoint(checkpoint, keys, time=TIME)
        lines = [cosign(checkpoint, key, time=TIME + 1) for key in WITNESS_KEYS[:2]]
        return Note(note.text, (*note.signatures, *lines))

    def evidence_of_one_witness_with_two_keys(self) -> Evidence:
        first, second = WITNESS_KEYS[0], WITNESS_MLDSA_KEY
        note = self.checkpoint()
        checkpoint = Checkpoint(ORIGIN, len(self.sealed), root_of([hash_leaf(each) for each in self.sealed]))
        cosigned = Note(note.text, (*note.signatures, cosign(checkpoint, second, time=TIME + 1)))
        lines = [f"log {LOG_KEY.verifier}", f"witness a {first.verifier}", f"witness a-pq {second.verifier}"]
        asked = "\n".join([*lines, "group both all a a-pq", "quorum both", ""])
        return self.evidence(checkpoint=str(cosigned), policy=asked)

    def evidence(self, *, with_payloads: bool = True, **changes: Any) -> Evidence:
        """Return the evidence of `BOOKING_ID`: the content of its last entry is erased."""
        own = [
            index
            for index, form in enumerate(self.sealed)
            if msgspec.json.decode(form)["booking_id"] == BOOKING_ID
        ]
        leaves = [Leaf(index, self.sealed[index].decode()) for index in own]
        payloads = {index: encode_payload(*self.payloads[index]) for index in own[:-1]}
        entries = prove_entries(
            leaves, len(self.sealed), self.hashes_of(), payloads if with_payloads else None
        )
        parts: dict[str, Any] = {
            "booking_id": BOOKING_ID,
            "made_at": "2026-03-08T15:00:00Z",
            "checkpoint": str(self.checkpoint()),
            "policy": policy(),
            "entries": entries,
            "waiting": [WaitingEntry(9_000, "booking.changed", "2026-03-08T14:59:59.500000Z")],
        }
        return Evidence(**{**parts, **changes})


def policy(quorum: str = "most", logs: Sequence[SigningKey] = (LOG_KEY, LOG_MLDSA_KEY)) -> str:
    names = [key.name.partition(".")[0] for key in WITNESS_KEYS]
    return "".join(
        (
            *(f"log {key.verifier}\n" for key in logs),
            *(f"witness {name} {key.verifier}\n" for name, key in zip(names, WITNESS_KEYS, strict=True)),
            f"group most 2 {' '.join(names)}\n",
            f"quorum {quorum}\n",
        )
    )


def sample_log() -> SampleLog:
    """Return a log of 600 entries, among them six of the booking: four changes of status and two others."""
    log = SampleLog()
    log.others(3)
    log.transition(1, 1)
    log.others(270)
    log.append("booking.payment-recorded", {"provider": "stripe", "captured": 13200, "sequence": 2})
    log.transition(2, 3)
    log.others(200)
    log.append("stripe.payment_intent.succeeded", {"verification": "verified", "body_bytes": 20})
    log.transition(3, 4)
    log.transition(4, 5)
    log.others(600 - len(log.sealed))
    return log
