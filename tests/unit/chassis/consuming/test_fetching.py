"""Fetches collect while records come. The requests are those of aiokafka's own fetcher."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState

from chassis.consuming.fetching import FETCH_BYTES_MIN, Fetches

PARTITION = TopicPartition("t.v1", 0)


class Client:
    """A consumer with aiokafka's fetcher, without a broker."""

    def __init__(self) -> None:
        self.records: list[str] = []
        subscriptions: Any = SubscriptionState()
        subscriptions.assign_from_user({PARTITION})
        self._assignment = subscriptions.subscription.assignment
        self._assignment.state_value(PARTITION).seek(0)
        cluster = SimpleNamespace(leader_for_partition=lambda _: 0)
        client = SimpleNamespace(_loop=asyncio.get_running_loop(), _metadata_max_age_ms=1, cluster=cluster)
        self._fetcher: Any = Fetcher(client, subscriptions)
        self._fetcher._fetch_task.cancel()

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[str]]:
        return {PARTITION: self.records} if self.records else {}

    def next_fetch(self) -> tuple[int, int]:
        """Return bytes and milliseconds for which the next fetch waits."""
        ((_, request),) = self._fetcher._get_actions_per_node(self._assignment)[0]
        return request._min_bytes, request._max_wait_ms


async def test_fetch_collects_only_after_a_poll_with_records() -> None:
    client, fetches = Client(), Fetches(25)
    at_once = client.next_fetch()
    client.records = ["a", "b"]
    assert await fetches.poll(client) == ("a", "b")
    assert client.next_fetch() == (FETCH_BYTES_MIN, 25)
    client.records = []
    assert await fetches.poll(client) == ()
    assert client.next_fetch() == at_once


async def test_consumer_that_collects_nothing_fetches_with_the_defaults_of_the_client() -> None:
    client, fetches = Client(), Fetches(0)
    at_once = client.next_fetch()
    client.records = ["a"]
    await fetches.poll(client)
    assert client.next_fetch() == at_once
