"""Set-up of any deployment: topics and databases, described by the environment."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics as create_topics
from chassis.process.environment import SettingsError, load_settings
from chassis.process.published_secrets import find_published
from chassis.process.terminal import plain_reason
from chassis.settings import ServiceSettings
from contracts.topics import TOPICS, TopicCard, webhook_topic
from plumbline import databases, dsn
from plumbline.failure import StackError

_SOURCES_FILE = "WEBHOOK_SOURCES_FILE"


def kafka_connection() -> KafkaConnection:
    """Return the Kafka that the environment names; `StackError` for a missing or wrong variable."""
    try:
        return KafkaConnection.from_settings(load_settings(ServiceSettings))
    except SettingsError as error:
        raise StackError(str(error)) from error


def topics(environ: Mapping[str, str]) -> tuple[TopicCard, ...]:
    """Return the standard topics and one topic for each source of WEBHOOK_SOURCES_FILE.

    Only the names of the file's tables are read; `webhook-gateway sources` checks the rest of the file.

    Raises:
        StackError: the file cannot be read or has no sources.
    """
    path = environ.get(_SOURCES_FILE)
    if not path:
        return TOPICS
    try:
        sources: object = tomllib.loads(Path(path).read_text(encoding="utf-8-sig")).get("sources")
    except (OSError, ValueError, RecursionError) as error:  # RecursionError: deeply nested arrays
        raise StackError(f"{_SOURCES_FILE}: cannot read {path}: {plain_reason(error)}") from error
    if not isinstance(sources, dict):
        raise StackError(f"{_SOURCES_FILE}: {path} has no tables [sources.<name>]")
    return (*TOPICS, *map(webhook_topic, cast("dict[str, object]", sources)))


async def apply_topics(kafka: KafkaConnection, replication_factor: int) -> list[str]:
    """Create the missing topics and return their names."""
    return await create_topics(kafka, topics(os.environ), replication_factor=replication_factor)


async def apply_databases(environ: Mapping[str, str]) -> list[str]:
    """Provision the databases that the services' connection strings name, and return the database names.

    Raises:
        StackError: ENVIRONMENT=production and a password is one of the published example passwords.
    """
    target = dsn.deployment(environ, databases.SERVICES)
    variables = (dsn.ADMIN_VARIABLE, dsn.VIEWER_VARIABLE, *map(dsn.service_variable, databases.SERVICES))
    refusal = find_published({variable: environ.get(variable) for variable in variables})
    if refusal and environ.get("ENVIRONMENT") == "production":
        raise StackError(refusal)
    await databases.provision(target.admin_dsn, target.passwords, databases=target.databases)
    return sorted(target.databases.values())
