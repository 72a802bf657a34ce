"""Kafka: how to reach it, and FastStream's broker, with every delivery option stated (foundations §3)."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from chassis.settings import ServiceSettings

REQUEST_MILLISECONDS_MAX = 4_000
METADATA_AGE_MILLISECONDS_MAX = 30_000
STOP_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the brokers are and how to reach them.

    Attributes:
        bootstrap: comma-separated `host:port`.
        topic_prefix: put before every topic name and consumer group of this deployment.
        options: security options as aiokafka names them.
    """

    bootstrap: str
    topic_prefix: str
    options: Mapping[str, Any]

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> "KafkaConnection":
        """The connection that the environment describes."""
        password = settings.kafka_sasl_password
        options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
        if settings.kafka_security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": settings.kafka_sasl_mechanism or "PLAIN",
                "sasl_plain_username": settings.kafka_sasl_username,
                "sasl_plain_password": password.get_secret_value() if password else None,
            }
        if settings.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
        return cls(settings.kafka_bootstrap, settings.topic_prefix, options)


def build_broker(connection: KafkaConnection, *, client_id: str) -> KafkaBroker:
    """The FastStream broker that a service's consumers hang on. It consumes only: `Producer` sends.

    FastStream's own defaults are at-most-once; `chassis.consuming.Consumer.subscribe` states each
    delivery option again, because a router's subscriber does not inherit the broker's.
    """
    options = dict(connection.options)
    return KafkaBroker(
        connection.bootstrap.split(","),
        client_id=client_id,
        consumer_only=True,
        allow_auto_create_topics=False,
        ack_policy=AckPolicy.MANUAL,
        apply_types=False,
        request_timeout_ms=REQUEST_MILLISECONDS_MAX * 3,
        metadata_max_age_ms=METADATA_AGE_MILLISECONDS_MAX,
        graceful_timeout=STOP_SECONDS_MAX,
        logger=None,
        security=_security(options),
    )


def _security(options: Mapping[str, Any]) -> Any:
    use_ssl = "ssl_context" in options
    if "sasl_mechanism" not in options:
        return BaseSecurity(ssl_context=options["ssl_context"], use_ssl=True) if use_ssl else None
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[options["sasl_mechanism"]](
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        ssl_context=options.get("ssl_context"),
        use_ssl=use_ssl,
    )
