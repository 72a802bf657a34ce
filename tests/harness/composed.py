"""Services as their own composition roots build them, without a broker or a database behind them."""

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
    with warnings.catch_warnings():  # how a service declares its HTTP parameters is not looked at here
        warnings.simplefilter("ignore", DeprecationWarning)
        build = importlib.import_module(f"{service}.main").build
        return build(get_type_hints(build)["settings"].model_validate(_NOWHERE))


def topics_subscribed(service: str) -> set[str]:
    """Names and patterns of topics that a service's consumers ask for, as Kafka sees them."""
    components: list[Any] = composed(service)._lifecycle._components
    brokers = [each._broker for each in components if isinstance(each, Consumers)]
    return {
        topic for broker in brokers for subscriber in broker.subscribers for topic in subscriber.topic_names
    }
