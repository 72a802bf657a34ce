"""How to reach Kafka, and the time limits of all its clients (foundations §3)."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chassis.kafka.settings import KafkaSettings

REQUEST_MILLISECONDS_MAX = 4_000
METADATA_AGE_MILLISECONDS_MAX = 30_000
STOP_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Addresses and security options of the brokers.

    Attributes:
        bootstrap: comma-separated `host:port`.
        topic_prefix: prefix of every topic and consumer group of this deployment.
        options: security options as aiokafka names them.
    """

    bootstrap: str
    topic_prefix: str
    options: Mapping[str, Any]

    @classmethod
    def from_settings(cls, settings: KafkaSettings) -> "KafkaConnection":
        """Return the connection that the settings describe."""
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
