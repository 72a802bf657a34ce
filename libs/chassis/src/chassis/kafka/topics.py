"""Create missing topics from their cards, and compare existing topics with their cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.errors import BrokerUnavailableError, unavailable
from contracts.topics import TopicCard

ADMIN_MILLISECONDS_MAX = 15_000


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """Difference between a topic and its card; `problem` is empty if there is none."""

    topic: str
    problem: str


async def apply_topics(
    connection: KafkaConnection, cards: Sequence[TopicCard], *, replication_factor: int = 1
) -> list[str]:
    """Create the missing topics and return their names. Existing topics are not changed.

    Raises:
        BrokerUnavailableError: no broker answers, or a broker refused to create a topic.
    """
    new_topics = [
        NewTopic(
            name=connection.topic_prefix + card.name,
            num_partitions=card.partitions,
            replication_factor=replication_factor,
            topic_configs=card.config(),
        )
        for card in cards
    ]
    admin = await connect_admin(connection)
    try:
        response: Any = await admin.create_topics(new_topics, timeout_ms=ADMIN_MILLISECONDS_MAX)
    except (KafkaError, OSError) as error:
        raise unavailable("the broker did not create the topics", error) from error
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
    """Compare partitions and configuration of each topic with its card. Return one finding per card.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
    names = [connection.topic_prefix + card.name for card in cards]
    admin = await connect_admin(connection)
    try:
        partitions = await _partitions(admin, names)
        configured = await _configured(admin, list(partitions))
    except (KafkaError, OSError) as error:
        raise unavailable("the broker did not describe the topics", error) from error
    finally:
        await admin.close()
    return [
        TopicFinding(name, _difference(card, name, partitions.get(name), configured.get(name, {})))
        for name, card in zip(names, cards, strict=True)
    ]


def _difference(card: TopicCard, name: str, partitions: int | None, configured: Mapping[str, str]) -> str:
    if partitions is None:
        return "does not exist: run `plumbline topics apply`"
    if partitions != card.partitions:
        return (
            f"has {partitions} partitions, its card says {card.partitions}: keys change partition and lose"
            " their order; stop producers, let consumers finish, recreate it by `plumbline topics apply`"
        )
    differing = {option: value for option, value in card.config().items() if configured.get(option) != value}
    if not differing:
        return ""
    actual = ", ".join(f"{option}={configured.get(option)}" for option in differing)
    expected = ",".join(f"{option}={value}" for option, value in differing.items())
    return f"has {actual}: run `kafka-configs.sh --alter --topic {name} --add-config {expected}`"


async def count_partitions(connection: KafkaConnection, cards: Sequence[TopicCard]) -> dict[str, int]:
    """Return topic → number of partitions, of existing topics. Needs no more rights than clients have.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
    admin = await connect_admin(connection)
    try:
        return await _partitions(admin, [connection.topic_prefix + card.name for card in cards])
    except (KafkaError, OSError) as error:
        raise unavailable("the broker did not describe the topics", error) from error
    finally:
        await admin.close()


async def _partitions(admin: Any, names: Sequence[str]) -> dict[str, int]:
    # Only of existing topics: on some brokers, describing a missing topic would create it.
    listed = await admin.list_topics()
    present = [name for name in names if name in listed]
    described: list[Any] = await admin.describe_topics(present) if present else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _configured(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return topic → option → value in effect."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    responses: Any = await admin.describe_configs(resources)
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }


async def connect_admin(connection: KafkaConnection) -> Any:
    """Return a connected `AIOKafkaAdminClient` (aiokafka ships no types). The caller closes it.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
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
