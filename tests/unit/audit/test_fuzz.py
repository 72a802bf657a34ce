"""Any bytes of a record become one entry that PostgreSQL can store."""

import hashlib
import json
from datetime import UTC, datetime

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from audit.domain.digest import SALT_BYTES, new_salts, payload_digest
from audit.domain.entries import Entry
from audit.domain.facts import RULES
from audit.domain.identifiers import identifier
from audit.domain.log.canonical import SEALED_BYTES_MAX, StoredEntry, sealed_form
from audit.domain.sealed_size import CUT, METADATA_BYTES_MAX, metadata_json
from audit.handlers.entries import read_entry
from chassis.messaging.message import Message
from contracts.catalogue import MESSAGES
from contracts.metadata import Headers
from contracts.stripe_events import StripeWorld
from harness.exploring import explores

WORLD = StripeWorld(is_live=False, account=None)
OURS = ["ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_sequence", "ce_correlationid",
        "ce_causationid", "traceparent", "content-type", "plumbline-verification"]  # fmt: skip
TEXTS = st.text(st.characters(), max_size=40)
VALUES = st.one_of(
    st.binary(max_size=20),
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [*(name.encode() for name in RULES), b"booking", b"audit", b"/webhooks/stripe",
         b"2026-11-23T12:00:00Z", b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00",
         b"12", b"x" * 5000]
    ),
)  # fmt: skip
HEADERS = st.lists(st.tuples(st.one_of(st.sampled_from(OURS), TEXTS), VALUES), max_size=14).map(tuple)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = sorted(
    {name for rule in RULES.values() for name in (rule.actor, rule.error, *rule.metadata) if name}
)
PAYLOADS = st.dictionaries(
    st.sampled_from([*MEMBERS, "booking_id", "recorded_at", "to_status", "metadata"]), JSON, max_size=8
).map(lambda payload: json.dumps(payload).encode())


def assert_storable(entry: Entry) -> None:
    texts = [entry.event_type, entry.status, entry.source, entry.event_id, entry.booking_id, entry.actor,
             entry.error, entry.correlation_id, entry.causation_id, entry.subject]  # fmt: skip
    if entry.transition:
        transition = entry.transition
        texts += [
            transition.booking_id,
            transition.from_status,
            transition.to_status,
            transition.changed_by,
            transition.reason,
        ]
        texts += [*transition.metadata, *transition.metadata.values()]
        assert 1 <= transition.version < 2**63
    for text in texts:
        if text is not None:
            assert "\0" not in text
            text.encode()  # no half surrogate pair
    assert all(len(text) <= 500 for text in texts[:10] if text)
    written = json.dumps(entry.metadata, allow_nan=False)
    assert "\\u0000" not in written
    written.encode()
    assert entry.occurred_at is None or entry.occurred_at.utcoffset() is not None
    assert len(sealed_bytes(entry)) <= SEALED_BYTES_MAX - METADATA_BYTES_MAX


def sealed_bytes(entry: Entry) -> bytes:
    metadata, _ = metadata_json(entry.metadata)
    longest = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
    members = {
        name: getattr(entry, name)
        for name in ("event_type", "status", "source", "event_id", "booking_id", "actor", "error",
                     "correlation_id", "causation_id")
    }  # fmt: skip
    stored = StoredEntry(
        entry_id=2**63 - 1, recorded_at=longest, occurred_at=entry.occurred_at, metadata=metadata,
        topic="x" * 249, partition=2**31 - 1, offset=2**63 - 1, payload_digest=bytes(32), **members,
    )  # fmt: skip
    return sealed_form(stored)


@explores(5_000)
@given(HEADERS, st.one_of(st.binary(max_size=200), PAYLOADS), st.binary(max_size=20))
@example((), b"", b"")
def test_any_record_becomes_one_storable_entry(headers: Headers, value: bytes, key: bytes) -> None:
    message = Message("webhooks.sms.v1", 0, 7, key, value, headers)
    entry = read_entry(message, WORLD)
    assert_storable(entry)
    assert entry == read_entry(message, WORLD), (
        "the same record gives the same entry, so that it is known again"
    )
    assert entry.event_type in {"message.unreadable", "message.out-of-place"} or entry.body == value


@explores(5_000)
@given(st.sampled_from(sorted(RULES)), PAYLOADS)
def test_any_payload_of_a_known_type_becomes_a_storable_entry(event_type: str, value: bytes) -> None:
    topic = next(card.topic for card in MESSAGES if card.event_type == event_type)
    source = topic.sources[0].encode()
    headers = (("ce_id", b"1"), ("ce_source", source), ("ce_type", event_type.encode()))
    entry = read_entry(Message(topic.name, 0, 7, b"", value, headers), WORLD)
    assert_storable(entry)
    assert entry.event_type == event_type


def test_message_that_claims_to_come_from_audit_is_not_believed() -> None:
    headers = (("ce_id", b"1"), ("ce_source", b"audit"), ("ce_type", b"log.erased"))
    assert (
        read_entry(Message("bookings.events.v1", 0, 7, b"", b"{}", headers), WORLD).event_type
        == "message.unreadable"
    )


@given(st.text(st.characters(), max_size=2000))
def test_identifier_is_bounded_and_stable(text: str) -> None:
    assert len(identifier(text)) <= 255
    assert identifier(identifier(text)) == identifier(text)


@given(st.binary(max_size=100))
def test_digest_says_nothing_without_its_salt(body: bytes) -> None:
    one, other = new_salts(2)
    assert len(one) == SALT_BYTES
    assert payload_digest(one, body) == payload_digest(one, body)
    assert payload_digest(one, body) != payload_digest(other, body)


@given(
    st.dictionaries(st.text(max_size=80), st.integers(1, 50_000).map(lambda size: "ü" * size), max_size=9),
    st.integers(0, 2_000),
)
def test_metadata_of_any_size_fits_and_says_what_is_missing(members: dict[str, object], count: int) -> None:
    metadata = members | {f"member {number}": "x" * 40 for number in range(count)}
    text, whole = metadata_json(metadata)
    written = msgspec.json.encode(metadata)
    assert len(text.encode()) <= METADATA_BYTES_MAX
    if len(written) <= METADATA_BYTES_MAX:
        assert (text.encode(), whole) == (written, None)
        return
    assert whole is not None
    assert whole.encode() == written, "the payload keeps what the entry cannot hold"
    kept = json.loads(text)
    cut = kept.pop(CUT)
    assert (cut["bytes"], cut["sha256"]) == (len(written), hashlib.sha256(written).hexdigest())
    assert kept.items() <= metadata.items()
    assert cut["members"]
