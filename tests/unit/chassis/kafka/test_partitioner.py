"""The partition of a key is the one that Java's client would choose: producers have to agree on it."""

from aiokafka.partitioner import DefaultPartitioner, murmur2


def test_hash_is_that_of_kafka() -> None:
    """Values of the Java client's own test (UtilsTest.testMurmur2), as unsigned numbers."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) for key in known} == {key: value % 2**32 for key, value in known.items()}


def test_partition_is_the_positive_hash_modulo_their_number() -> None:
    partitions = list(range(12))
    for key in (b"21", b"foobar", b"a-little-bit-long-string"):
        expected = (murmur2(key) & 0x7FFFFFFF) % len(partitions)
        assert DefaultPartitioner()(key, partitions, partitions[:1]) == expected
