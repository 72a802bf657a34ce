"""A message as a consumer sees it, and how headers are kept in a table."""

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

from chassis.messaging.failures import BusyError, MalformedMessageError, busy_with
from chassis.observability import trace_context
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection
from contracts.metadata import Headers, MessageMetadata, MetadataError, read_metadata
from contracts.text import sanitize_for_postgres
from contracts.wire import WireModel

ModelT = TypeVar("ModelT", bound=WireModel)

ERROR_CHARACTERS_MAX = 500
OVERHEAD_BYTES = 1_000
"""Of a message's objects, whatever it carries."""


class Record(Protocol):
    """What a Kafka client hands over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Message:
    """One record of a topic: bytes as they are, metadata read when asked for.

    Attributes:
        topic: name without the deployment's prefix, as on its card.
        partition, offset: where it stands.
        key, value: raw bytes; an absent one is empty.
        headers: raw, in order, absent values empty.
        sent_at: the record's timestamp, seconds since the epoch, by its producer's clock or the broker's;
            None where it has none.
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
        self._continued: str | None = None

    def without_content(self) -> "Message":
        """Where it stood, and nothing of what it said."""
        return Message(self.topic, self.partition, self.offset, b"", b"", (), sent_at=self.sent_at)

    @classmethod
    def from_record(cls, record: Record, *, topic_prefix: str) -> "Message":
        """Take over a client's record; nothing in it can make this fail."""
        return cls(
            topic=record.topic.removeprefix(topic_prefix),
            partition=record.partition,
            offset=record.offset,
            key=record.key or b"",
            value=record.value or b"",
            headers=tuple((name, value or b"") for name, value in record.headers),
            sent_at=record.timestamp / 1000 if record.timestamp > 0 else None,
        )

    @cached_property
    def size_bytes(self) -> int:
        """Roughly what it takes in memory."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return OVERHEAD_BYTES + len(self.key) + len(self.value) + headers

    @cached_property
    def metadata(self) -> MessageMetadata:
        """CloudEvents attributes.

        Raises:
            MalformedMessageError: the headers do not describe an event.
        """
        if not all(_is_utf8(name) for name, _ in self.headers):
            raise MalformedMessageError("the name of a header is not UTF-8")
        try:
            metadata = read_metadata(self.headers)
        except MetadataError as error:
            raise MalformedMessageError(str(error)) from error
        return msgspec.structs.replace(metadata, traceparent=self._continued) if self._continued else metadata

    @cached_property
    def sent_traceparent(self) -> str | None:
        """The trace context that the record carries; None if there is none, or none that is well-formed."""
        return trace_context.read(value for name, value in self.headers if name == trace_context.HEADER)

    @property
    def traceparent(self) -> str | None:
        """What continues in whatever this message causes: the span that handles it, else its sender's."""
        return self._continued or self.sent_traceparent

    def continue_trace(self, traceparent: str) -> None:
        """From here on `metadata` names this trace context, and with it whatever the message causes."""
        self._continued = traceparent
        self.__dict__.pop("metadata", None)

    @cached_property
    def body_sha256(self) -> bytes:
        """Digest of the value, which tells a duplicate from an identity conflict (BK-10)."""
        return hashlib.sha256(self.value).digest()

    def payload(self, model: type[ModelT]) -> ModelT:
        """Return the value as a message model; a byte order mark before it is ignored (RFC 8259 §8.1).

        Raises:
            MalformedMessageError: the value is not what the contract says.
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
    """Rows that some messages of a batch need are locked by another session; the others can be applied.

    Args:
        messages: of the batch, whose keys are to be put off.
        what: which rows, in words for a person, such as "row of inbox locked by another session".
    """

    def __init__(self, messages: Sequence[Message], what: str) -> None:
        super().__init__(what)
        self.messages = messages


@contextmanager
def waiting_for_locks(message: Message) -> Generator[None]:
    """Let a wait for a lock that lasts too long name the message that the block is about.

    Raises:
        KeysInUseError: it did; the others of the batch can be applied without this one.
    """
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise KeysInUseError([message], busy_with(error)) from error


Apply = Callable[[Connection, Sequence[Message]], Awaitable[int]]
"""A service's effect of a batch, inside a transaction that its caller commits. Returns how many messages had
one: a duplicate, or an event that changes nothing here, is no proof that others can be applied."""


def _is_utf8(name: str) -> bool:
    """Bytes that are not UTF-8 come as lone surrogates (`chassis.kafka.lenient_records`)."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def event_of(headers: Headers) -> tuple[str | None, str | None]:
    """Event id and type as far as the headers tell; of a message that cannot be read, None and None."""
    try:
        metadata = read_metadata(headers)
    except MetadataError:
        return None, None
    return metadata.id, metadata.type


def describe(error: Exception) -> str:
    """Return an error in a line fit to be kept and published: its class and place, and never a value.

    Of a message that cannot be decoded it says what is wrong, in our own words.
    """
    line = f"{type(error).__name__}: {error}" if isinstance(error, MalformedMessageError) else loggable(error)
    return sanitize_for_postgres(line[:ERROR_CHARACTERS_MAX])


def class_of(description: str) -> str:
    """The error's class, of what `describe` told: all of it that a log may hold."""
    return description.partition(":")[0]


def pack_headers(headers: Headers) -> bytes:
    """Headers as bytes for a table; any value survives, of a name that is not UTF-8 its printable form."""
    return msgspec.json.encode([[_printable(name), b64encode(value).decode()] for name, value in headers])


def unpack_headers(packed: bytes) -> Headers:
    """The headers that `pack_headers` took."""
    pairs = msgspec.json.decode(packed, type=list[tuple[str, str]])
    return tuple((name, b64decode(value)) for name, value in pairs)
