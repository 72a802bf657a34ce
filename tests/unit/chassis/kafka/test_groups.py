"""How far a group has read, also where its offset is none of the log's any more, and who is in it."""

from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from chassis.kafka import groups
from chassis.kafka.errors import unavailable
from chassis.kafka.groups import GroupState, Partition

ONE, TWO = ("t", 0), ("t", 1)


def lag(committed: dict[Partition, int], begins: dict[Partition, int], ends: dict[Partition, int]) -> int:
    return GroupState(1, groups._next_read(committed, begins, ends), ends).lag


@pytest.mark.parametrize(
    ("committed", "begin", "end", "waiting"),
    [
        (5, 0, 20, 15),
        (0, 0, 5, 5),
        (5, 0, 5, 0),
        (5, 10, 20, 10),  # what was not read has expired
        (10, 0, 5, 5),  # the topic was made anew: it is read from its beginning
        (-1, 0, 5, 5),
    ],
)
def test_what_waits_is_what_the_log_holds(committed: int, begin: int, end: int, waiting: int) -> None:
    assert lag({ONE: committed}, {ONE: begin}, {ONE: end}) == waiting


def test_partition_without_an_offset_is_read_from_its_beginning() -> None:
    assert lag({}, {ONE: 3}, {ONE: 5}) == 2


def test_partition_made_anew_does_not_hide_what_waits_beside_it() -> None:
    assert lag({ONE: 10, TWO: 0}, {ONE: 5, TWO: 0}, {ONE: 5, TWO: 5}) == 5


def described(code: int, *members: str) -> list[SimpleNamespace]:
    """As brokers answer: error, group, state, protocol type, protocol, members."""
    return [SimpleNamespace(groups=[(code, "g", "Stable", "consumer", "range", list(members))])]


def test_members_are_counted_and_a_group_that_is_not_there_has_none() -> None:
    assert groups._count_members(described(0, "a", "b")) == 2
    assert groups._count_members(described(69)) == 0


@pytest.mark.parametrize(
    ("code", "name"), [(14, "GroupLoadInProgress"), (16, "NotCoordinator"), (30, "Authorization")]
)
def test_group_that_cannot_be_described_is_not_a_group_without_members(code: int, name: str) -> None:
    with pytest.raises(KafkaError) as refused:
        groups._count_members(described(code))
    assert name in type(refused.value).__name__


def test_reason_of_the_broker_has_no_class_number_or_tuple() -> None:
    away = KafkaConnectionError("Unable to bootstrap from [('127.0.0.1', 9092, 0)]")
    assert str(unavailable("the topics were not created", away)) == (
        "the topics were not created: no broker answers"
    )
    assert str(unavailable("x", TopicAuthorizationFailedError("t"))).startswith("x: ")
    assert "Error" not in str(unavailable("x", TopicAuthorizationFailedError("t")))
    assert str(unavailable("x", TimeoutError())) == "x: no answer in time"
