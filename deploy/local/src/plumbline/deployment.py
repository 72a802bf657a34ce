"""What every kind of deployment needs once: topics and databases, described by the environment."""

from collections.abc import Mapping

from chassis.kafka import KafkaConnection
from chassis.kafka_admin import apply_topics as create_topics
from chassis.settings import ServiceSettings, SettingsError, load_settings
from contracts.topics import TOPICS
from plumbline import databases, dsn
from plumbline.failure import StackError


def kafka_connection() -> KafkaConnection:
    """The Kafka that the environment names; `StackError` for a missing or wrong variable."""
    try:
        return KafkaConnection.from_settings(load_settings(ServiceSettings))
    except SettingsError as error:
        raise StackError(str(error)) from error


async def apply_topics(replication_factor: int) -> list[str]:
    """Create the topics that are missing; returns their names."""
    return await create_topics(kafka_connection(), TOPICS, replication_factor=replication_factor)


async def apply_databases(environ: Mapping[str, str]) -> list[str]:
    """Provision the databases that the services' connection strings name; returns their names."""
    wanted = dsn.deployment(environ, databases.SERVICES)
    await databases.provision(wanted.admin_dsn, wanted.passwords, databases=wanted.databases)
    return sorted(wanted.databases.values())
