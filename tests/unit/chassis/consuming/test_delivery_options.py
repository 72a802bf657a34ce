"""Every subscriber states every delivery option: FastStream's defaults lose messages (rule 7)."""

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy

from chassis.consuming import Consumer, subscription
from chassis.consuming.broker import Consumers, build_broker
from chassis.consuming.consumer import DRAIN_SECONDS_MAX
from chassis.consuming.polling import Poller
from chassis.dead_letters import DeadLetters
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.lenient_records import LenientRecords
from chassis.messaging.message import Message
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database

PREFIX = "t1."
SERVICES = sorted(path.parent.name for path in Path(__file__).parents[4].glob("services/*/src/*/consumers*"))
ENVIRONMENT = {
    "kafka_bootstrap": "127.0.0.1:1",
    "topic_prefix": PREFIX,
    "booking_postgres_dsn": "postgresql://b@127.0.0.1:1/b",
    "audit_postgres_dsn": "postgresql://a@127.0.0.1:1/a",
    "reconciler_postgres_dsn": "postgresql://r@127.0.0.1:1/r",
    "reconciler_booking_view_dsn": "postgresql://v@127.0.0.1:1/b",
}


def subscribers(broker: KafkaBroker) -> list[Any]:
    found = list(broker.subscribers)
    assert found
    return found


def brokers_of(service: str) -> list[KafkaBroker]:
    """Return the brokers of a service as its own composition root builds them."""
    build = importlib.import_module(f"{service}.main").build
    settings_class = get_type_hints(build)["settings"]
    service_made = build(settings_class.model_validate(ENVIRONMENT))
    return [each._broker for each in service_made._lifecycle._components if isinstance(each, Consumers)]


async def _apply(_connection: Connection, _messages: Sequence[Message]) -> int:
    raise AssertionError("never called")


def consumer() -> Consumer:
    return Consumer(
        "sample",
        database=Database("postgresql://s@127.0.0.1:1/s", application_name="sample"),
        apply=_apply,
        set_aside=DeadLetters("sample"),
        topic_prefix=PREFIX,
        metrics=Metrics("sample"),
    )


def assert_at_least_once(subscriber: Any, group: str) -> None:
    options = subscriber._connection_args
    assert subscriber.ack_policy is AckPolicy.MANUAL
    assert options["enable_auto_commit"] is False
    assert options["auto_offset_reset"] == "none", "a silent reset hides what was lost to retention"
    assert isinstance(subscriber.get_msg.__self__, Poller)
    assert options["isolation_level"] == "read_committed"
    assert subscriber.group_id == group
    assert subscriber._no_reply is True
    assert type(subscriber).__name__ == "BatchSubscriber"
    assert isinstance(subscriber._listener, subscription.RebalanceListener)
    assert subscriber._call_options.parser is subscription.keep_bytes
    assert subscriber._call_options.decoder is subscription.raw_records
    assert options["session_timeout_ms"] == subscription.SESSION_MILLISECONDS_MAX
    assert options["heartbeat_interval_ms"] * 3 <= options["session_timeout_ms"]
    assert options["max_poll_interval_ms"] > 1000 * DRAIN_SECONDS_MAX
    assert len(subscriber.calls) == 1


def test_consumer_states_every_delivery_option() -> None:
    connection = KafkaConnection("127.0.0.1:1", PREFIX, {})
    by_name, by_pattern = (build_broker(connection, client_id="sample") for _ in range(2))
    consumer().subscribe(by_name, "bookings.events.v1", "webhooks.stripe.v1")
    consumer().subscribe(by_pattern, pattern=r"webhooks\.[a-z0-9-]+\.v1")
    for broker in (by_name, by_pattern):
        (subscriber,) = subscribers(broker)
        assert_at_least_once(subscriber, "t1.sample")
    (named,), (matched,) = subscribers(by_name), subscribers(by_pattern)
    assert named.topic_names == ["t1.bookings.events.v1", "t1.webhooks.stripe.v1"]
    assert matched.topic_names == [r"^t1\.webhooks\.[a-z0-9-]+\.v1$"]


def test_process_that_consumes_reads_header_names_of_any_bytes() -> None:
    """Looked at in a process of its own: this one reads leniently because the harness does."""
    asked = "from aiokafka.consumer import fetcher; print(fetcher.MemoryRecords.__name__)"
    answer = subprocess.run(
        [sys.executable, "-c", f"import chassis.consuming; {asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == LenientRecords.__name__


def test_services_with_consumers_are_known() -> None:
    assert {"audit", "booking", "reconciler"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_subscriber_of_every_service_is_at_least_once(service: str) -> None:
    brokers = brokers_of(service)
    assert brokers
    for broker in brokers:
        for subscriber in subscribers(broker):
            assert_at_least_once(subscriber, PREFIX + service)
            assert all(name.removeprefix("^").startswith(("t1.", r"t1\.")) for name in subscriber.topic_names)
