"""A record on its way to Kafka."""

import msgspec

from contracts.metadata import Headers


class OutgoingRecord(msgspec.Struct, frozen=True):
    """A record to be published. The topic has no prefix."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
