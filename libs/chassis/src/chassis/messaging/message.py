"""A consumed message, and how its headers are stored in a table."""

import hashlib
from base64 import b64decode, b64encode
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Protocol, TypeVar

import asyncpg
import msgspec
from pydantic import ValidationError

from chassis.messaging.failures import BusyError, MalformedMessageError, describe_lock
from chassis.observability import trace_context
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection
from contracts.metadata import Headers, MessageMetadata, MetadataError, read_metadata
from contracts.text import sanitize_for_postgres
from contracts.wire import WireModel

OrderingKey = tuple[str, bytes]
"""Topic and key. Messages of one ordering key are published and applied in order."""

ModelT = TypeVar("ModelT", bound=WireModel)

ERROR_CHARACTERS_MAX = 500
OVERHEAD_BYTES = 1_000
"""Memory of a message's objects, without its content."""


class Record(Protocol):
    """A record as the Kafka client returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Message:
    """One record of a topic. Metadata are parsed on first use.

    Attributes:
        topic: name without the deployment's prefix, as on its topic card.
        partition, offset: position of the record.
        key, value: raw bytes; empty if absent.
        headers: raw, in order; absent values are empty.
        sent_at: timestamp of the record in seconds since the epoch, by the clock of its producer or of the
            broker; None if the record has none.
        size_bytes: roughly how much memory the message takes.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes,
        value: bytes,
        headers: Headers,
        *,
        sent_at: float | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.sent_at = sent_at
        self.size_bytes = OVERHEAD_BYTES + len(key) + len(value)
        for name, content in headers:
            self.size_bytes += len(name) + len(content)
        self._continued: str | None = None

    def without_content(self) -> "Message":
        """Return a message with the position and timestamp of this one, without key, value and headers."""
        return Message(self.topic, self.partition, self.offset, b"", b"", (), sent_at=self.sent_at)

    @classmethod
    def from_record(cls, record: Record, *, topic_prefix: str) -> "Message":
        """Convert a record of the client. Never fails, whatever the record contains."""
        return cls(
            topic=record.topic.removeprefix(topic_prefix),
            partition=record.partition,
            offset=record.offset,
            key=record.key or b"",
            value=record.value or b"",
            headers=tuple([(name, value or b"") for name, value in record.headers]),
            sent_at=record.timestamp / 1000 if record.timestamp > 0 else None,
        )

    @cached_property
    def metadata(self) -> MessageMetadata:
        """Return the CloudEvents attributes.

        Raises:
            MalformedMessageError: the headers do not describe an event.
        """
        if not _is_utf8("".join([name for name, _ in self.headers])):
            raise MalformedMessageError("the name of a header is not UTF-8")
        try:
            metadata = read_metadata(self.headers)
        except MetadataError as error:
            raise MalformedMessageError(str(error)) from error
        return msgspec.structs.replace(metadata, traceparent=self._continued) if self._continued else metadata

    @cached_property
    def sent_traceparent(self) -> str | None:
        """Return the trace context of the record, or None if it has none that is well-formed."""
        return trace_context.read(value for name, value in self.headers if name == trace_context.HEADER)

    @property
    def traceparent(self) -> str | None:
        """Return the trace context for effects of the message: the handling span's, else the sender's."""
        return self._continued or self.sent_traceparent

    def continue_trace(self, traceparent: str) -> None:
        """Replace the trace context in `metadata`, and so in all events that this message causes."""
        self._continued = traceparent
        self.__dict__.pop("metadata", None)

    @cached_property
    def body_sha256(self) -> bytes:
        """Return the digest of the value. It distinguishes a duplicate from an identity conflict (BK-10)."""
        return hashlib.sha256(self.value).digest()

    def payload(self, model: type[ModelT]) -> ModelT:
        """Parse the value as a message model. A leading byte order mark is ignored (RFC 8259 §8.1).

        Raises:
            MalformedMessageError: the value does not fit the model.
        """
        try:
            return model.model_validate_json(self.value.removeprefix(BOM_UTF8))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "value"
            raise MalformedMessageError(f"{model.__name__}: {where}: {first['msg']}") from error

    def __repr__(self) -> str:
        return f"<Message {self.topic}/{self.partition}@{self.offset}>"


class KeysInUseError(BusyError):
    """Another session has locked rows that some messages of a batch need. The others can be applied.

    Args:
        messages: the messages of the batch whose keys must wait.
        lock: the locked rows, in words for a person, such as "row of inbox locked by another session".
    """

    def __init__(self, messages: Sequence[Message], lock: str) -> None:
        super().__init__(lock)
        self.messages = messages


@contextmanager
def waiting_for_locks(message: Message) -> Generator[None]:
    """Turn a lock timeout inside the block into a failure of this message alone.

    Raises:
        KeysInUseError: another session kept a lock for longer than `lock_timeout`.
    """
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise KeysInUseError([message], describe_lock(error)) from error


Apply = Callable[[Connection, Sequence[Message]], Awaitable[int]]
"""Applies a batch inside a transaction that the caller commits. Returns how many messages had an effect.

Duplicates and events that change nothing do not count: they do not prove that other messages can be applied.
"""


def _is_utf8(name: str) -> bool:
    # Bytes that are not UTF-8 arrive as lone surrogates (`chassis.kafka.lenient_records`).
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def event_of(headers: Headers) -> tuple[str | None, str | None]:
    """Return event id and type, or None and None if the headers do not describe an event."""
    try:
        metadata = read_metadata(headers)
    except MetadataError:
        return None, None
    return metadata.id, metadata.type


def describe(error: Exception) -> str:
    """Return an error as one line that may be stored and published: its class and place, never a value.

    Of a message that cannot be decoded, the line says in our own words what is wrong.
    """
    line = f"{type(error).__name__}: {error}" if isinstance(error, MalformedMessageError) else loggable(error)
    return sanitize_for_postgres(line[:ERROR_CHARACTERS_MAX])


def error_class(description: str) -> str:
    """Return the class of the error in a line from `describe`: the only part that may be logged."""
    return description.partition(":")[0]


def pack_headers(headers: Headers) -> bytes:
    """Encode headers for a table. Values survive unchanged; names that are not UTF-8 become printable."""
    return msgspec.json.encode([[_printable(name), b64encode(value).decode()] for name, value in headers])


def unpack_headers(packed: bytes) -> Headers:
    """Decode headers that `pack_headers` encoded."""
    pairs = msgspec.json.decode(packed, type=list[tuple[str, str]])
    return tuple((name, b64decode(value)) for name, value in pairs)
