"""Services built by their composition roots, without a broker or a database."""

import importlib
import warnings
from typing import Any, get_type_hints

from chassis.consuming.broker import Consumers
from chassis.service import Service

PREFIX = "t1."
SERVICES = ("webhook_gateway", "booking", "audit", "reconciler")
_NOWHERE = {
    "kafka_bootstrap": "127.0.0.1:1",
    "topic_prefix": PREFIX,
    "booking_postgres_dsn": "postgresql://b@127.0.0.1:1/b",
    "audit_postgres_dsn": "postgresql://a@127.0.0.1:1/a",
    "reconciler_postgres_dsn": "postgresql://r@127.0.0.1:1/r",
    "reconciler_booking_view_dsn": "postgresql://v@127.0.0.1:1/b",
}


def composed(service: str) -> Service:
    with warnings.catch_warnings():  # declarations of HTTP parameters are not tested here
        warnings.simplefilter("ignore", DeprecationWarning)
        build = importlib.import_module(f"{service}.main").build
        return build(get_type_hints(build)["settings"].model_validate(_NOWHERE))


def topics_subscribed(service: str) -> set[str]:
    """Return the names and patterns of the Kafka topics to which a service's consumers subscribe."""
    components: list[Any] = composed(service)._lifecycle._components
    brokers = [each._broker for each in components if isinstance(each, Consumers)]
    return {
        topic for broker in brokers for subscriber in broker.subscribers for topic in subscriber.topic_names
    }
