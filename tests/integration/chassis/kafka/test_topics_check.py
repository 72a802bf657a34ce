"""A service waits for its topics, names what is missing, and warns of another number of partitions."""

from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from chassis.kafka import topics_check
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.topics import apply_topics
from chassis.kafka.topics_check import TopicsMissingError, TopicsStartupCheck
from harness import eventually
from integration.chassis.ground import TOPICS, Ground

ONE, OTHER = TOPICS


async def delete(ground: Ground, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))
    finally:
        await admin.close()


async def test_missing_topics_are_named_with_what_to_do(place: Ground) -> None:
    with pytest.raises(TopicsMissingError) as refused:
        await TopicsStartupCheck(place.kafka, TOPICS).start()
    prefix = place.kafka.topic_prefix
    names = ", ".join(sorted(prefix + card.name for card in TOPICS))
    assert str(refused.value) == f"missing {names}: run `plumbline topics apply`"


async def test_topics_as_on_their_cards_are_good(ground: Ground) -> None:
    startup_check = TopicsStartupCheck(ground.kafka, TOPICS)
    await startup_check.start()
    check = await startup_check.check()
    assert (check.ok, check.detail) == (True, "")


async def test_other_number_of_partitions_is_ready_and_named(place: Ground) -> None:
    name = place.kafka.topic_prefix + ONE.name
    await apply_topics(place.kafka, [replace(ONE, partitions=ONE.partitions + 1), OTHER])
    startup_check = TopicsStartupCheck(place.kafka, TOPICS)
    try:
        await startup_check.start()
        check = await startup_check.check()
        assert check.ok
        assert check.detail.startswith(f"{name} has {ONE.partitions + 1} partitions, its card says ")
        assert "plumbline doctor" in check.detail
        assert OTHER.name not in check.detail
    finally:
        await delete(place, *(place.kafka.topic_prefix + card.name for card in TOPICS))


async def test_topic_that_goes_while_the_service_runs_is_noticed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ground.kafka.topic_prefix + OTHER.name
    startup_check = TopicsStartupCheck(ground.kafka, TOPICS)
    await startup_check.start()
    await delete(ground, name)
    assert (await startup_check.check()).ok  # looked at a moment ago
    monkeypatch.setattr(topics_check, "REFRESH_SECONDS", 0.0)

    async def is_missed() -> bool:
        try:
            await startup_check.check()
        except TopicsMissingError as error:
            return name in str(error)
        return False

    await eventually(is_missed, seconds=30)
    await apply_topics(ground.kafka, [OTHER])
    await eventually(lambda: _is_good(startup_check), seconds=30)


async def _is_good(startup_check: TopicsStartupCheck) -> bool:
    try:
        return (await startup_check.check()).ok
    except TopicsMissingError:
        return False


async def test_broker_away_is_said_as_such() -> None:
    nowhere = KafkaConnection("127.0.0.1:1", "", {"security_protocol": "PLAINTEXT"})
    with pytest.raises(BrokerUnavailableError, match="no broker answers"):
        await TopicsStartupCheck(nowhere, TOPICS).start()
