"""Keys go where every other Kafka client sends them."""

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from chassis.kafka.partitioner import murmur2, partition_for


@given(st.binary(max_size=300))
def test_hash_is_that_of_aiokafka(data: bytes) -> None:
    assert murmur2(data) == reference(data)


@given(st.binary(max_size=64), st.integers(1, 100))
def test_partition_is_that_of_aiokafka(key: bytes, count: int) -> None:
    partitions = list(range(count))
    assert partition_for(key, partitions, partitions[:1]) == DefaultPartitioner()(key, partitions, [])


def test_hash_is_that_of_kafka() -> None:
    """Values of the Java client's own test (UtilsTest.testMurmur2), as unsigned numbers."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert {key: murmur2(key) for key in known} == {key: value % 2**32 for key, value in known.items()}


def test_record_without_key_goes_where_a_leader_is() -> None:
    assert partition_for(None, [0, 1, 2], [2]) == 2
    assert partition_for(None, [5], []) == 5
