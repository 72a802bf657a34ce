"""Topics from their cards: create what is missing, compare what is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from chassis.kafka import BrokerUnavailableError, KafkaConnection
from contracts.topics import TopicCard

ADMIN_MILLISECONDS_MAX = 15_000


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """How a topic differs from its card; an empty `problem` means that it does not."""

    topic: str
    problem: str


async def apply_topics(
    connection: KafkaConnection, cards: Sequence[TopicCard], *, replication_factor: int = 1
) -> list[str]:
    """Create the topics that are missing and return their names; existing ones are left as they are.

    Raises:
        BrokerUnavailableError: no broker answers, or it refused to create a topic.
    """
    wanted = [
        NewTopic(
            name=connection.topic_prefix + card.name,
            num_partitions=card.partitions,
            replication_factor=replication_factor,
            topic_configs=card.config(),
        )
        for card in cards
    ]
    admin = await _connect(connection)
    try:
        response: Any = await admin.create_topics(wanted, timeout_ms=ADMIN_MILLISECONDS_MAX)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(f"the broker did not create the topics: {error!r}") from error
    finally:
        await admin.close()
    return [name for name, code, message in response.topic_errors if _created(name, code, message)]


def _created(name: str, code: int, message: str | None) -> bool:
    if code == 0:
        return True
    error = for_code(code)
    if error is TopicAlreadyExistsError:
        return False
    raise BrokerUnavailableError(f"the broker did not create {name}: {error.__name__} {message or ''}")


async def compare_topics(connection: KafkaConnection, cards: Sequence[TopicCard]) -> list[TopicFinding]:
    """One finding per card: partitions and retention on the broker against the card.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
    names = [connection.topic_prefix + card.name for card in cards]
    admin = await _connect(connection)
    try:
        listed = await admin.list_topics()
        present = [name for name in names if name in listed]
        described = await admin.describe_topics(present) if present else []
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
        retention = await _retention(admin, present)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(f"the broker did not describe the topics: {error!r}") from error
    finally:
        await admin.close()
    return [
        TopicFinding(name, _difference(card, partitions.get(name), retention.get(name)))
        for name, card in zip(names, cards, strict=True)
    ]


def _difference(card: TopicCard, partitions: int | None, retention_ms: str | None) -> str:
    if partitions is None:
        return "does not exist: run `plumbline topics apply`"
    if partitions != card.partitions:
        return (
            f"has {partitions} partitions, its card says {card.partitions}: recreate it under a new version"
        )
    wanted = card.config()["retention.ms"]
    if retention_ms != wanted:
        return f"has retention.ms={retention_ms}, its card says {wanted}: alter the topic's configuration"
    return ""


async def _retention(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    responses: Any = await admin.describe_configs(resources)
    return {
        resource[3]: entry[1]
        for response in responses
        for resource in response.resources
        for entry in resource[4]
        if entry[0] == "retention.ms"
    }


async def _connect(connection: KafkaConnection) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=connection.bootstrap,
        request_timeout_ms=ADMIN_MILLISECONDS_MAX,
        **connection.options,
    )
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise BrokerUnavailableError(f"no broker answers at {connection.bootstrap}: {error}") from error
    return admin
