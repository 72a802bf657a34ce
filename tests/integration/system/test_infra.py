"""The servers under the tests: they can be taken away, and come back as they were."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from chassis import clock
from harness import Infra, Stack, down, eventually, start_services
from harness.topics import Record

TOPIC = "bookings.events.v1"


@pytest.fixture(scope="module")
async def bare(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, env={}) as stack:
        yield stack


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_kafka_restarted_keeps_address_and_records(infra: Infra, bare: Stack, how: str) -> None:
    value = clock.new_id().encode()
    await bare.topic(TOPIC).publish(value)
    async with down(infra.kafka, how=how):
        assert not infra.kafka.running
    await bare.topic(TOPIC).read_until(lambda records: value in [r.value for r in records], seconds=30)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_postgres_restarted_keeps_address_and_rows(infra: Infra, bare: Stack, how: str) -> None:
    database = bare.database("booking")
    table = f"public.kept_{how}"
    await database.execute(f"CREATE TABLE {table} AS SELECT 42 AS answer")
    async with down(infra.postgres, how=how):
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await database.fetchval("SELECT 1")
    assert await database.fetchval(f"SELECT answer FROM {table}") == 42


async def test_records_published_stand_on_the_topic_with_key_and_headers(bare: Stack) -> None:
    key = clock.new_id().encode()
    sent = Record(b"\x00any bytes", key, (("ce_id", b"1"), ("other", b"\xff")))
    placed = (await bare.topic(TOPIC).publish_all([sent]))[0]
    assert placed.offset >= 0
    assert placed in await bare.topic(TOPIC).records()


async def test_two_stacks_on_the_same_servers_see_nothing_of_each_other(infra: Infra, bare: Stack) -> None:
    await bare.topic(TOPIC).publish(b"mine")
    await bare.database("audit").execute("CREATE TABLE public.mine ()")
    async with start_services(infra) as other:
        assert await other.topic(TOPIC).records() == []
        assert await other.database("audit").fetchval("SELECT to_regclass('public.mine')") is None


async def test_fsync_stays_on(bare: Stack) -> None:
    assert await bare.database("booking").fetchval("SHOW fsync") == "on"


async def test_login_role_of_one_service_cannot_enter_the_database_of_another(bare: Stack) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await bare.database("booking").fetchval("SELECT 1", role="audit")


async def test_condition_that_is_never_met_fails_with_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.2 s: .*last result: 0"):
        await eventually(lambda: 0, seconds=0.2)
