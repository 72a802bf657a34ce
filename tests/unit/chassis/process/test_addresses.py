"""Addresses of Kafka and PostgreSQL: every right form is taken, a wrong one is refused without its value."""

import asyncio

import asyncpg
import pytest
from aiokafka.conn import collect_hosts

from chassis.process.addresses import check_bootstrap, check_dsn

BROKERS = [
    "kafka:9092",
    "kafka",
    "10.0.0.7:9092,10.0.0.8:9092",
    "b-1.example.com:9096, b-2.example.com:9096",
    "[::1]:9092",
    "[2001:db8::1]:9092,[2001:db8::2]:9093,kafka_3:9092",
    "[::1]",
    "::1",
]

WRONG_BROKERS = [
    "host:abc",
    "host:",
    "host:0",
    "host:65536",
    "host:٣",
    "kafka://host:9092",
    "user@host:9092",
    ",",
    "",
    "a:1,b:x",
    "[::1:9092",
    "[nonsense]:9092",
    "[::1]x:9092",
    "a b:9092",
]

DSNS = [
    "postgresql://u:p@h:5432/db",
    "postgres://u@h/db",
    "postgresql://u:p%40%2F%23@h/db?sslmode=require&application_name=x",
    "postgresql://u@h1:5432,h2:5433,h3/db?target_session_attrs=read-write",
    "postgresql://u@[::1]:5432,[2001:db8::1]/db",
    "postgresql://u@%2Frun%2Fpostgresql/db",
    "postgresql://u@/db?host=/run/postgresql&port=5433",
    "postgresql:///db?host=/run/postgresql,db.example.com",
    "postgresql:///db",
    "postgresql://u@h:/db",
]

WRONG_DSNS = [
    "postgresql://u@h:abc/db",
    "postgresql://u@h:65536/db",
    "postgresql://u@h:0/db",
    "postgresql://[::1/x",
    "postgresql://u@[nonsense]/db",
    "postgresql://u@h1,,h2/db",
    "postgresql://u:p/4711@h/db",
    "postgresql://u:p#4711@h/db",
    "postgresql://u:p@4711@h/db",
    "mysql://u@h/db",
    "host=h dbname=db",
    "postgresql://u@h/db?sslmode=4711",
    "postgresql://u@h/db?port=4711x",
    "postgresql://u@/db?host=h1,",
    "postgresql://u@h/db?4711",
]


@pytest.mark.parametrize("brokers", BROKERS)
def test_brokers_of_every_form_are_taken(brokers: str) -> None:
    assert check_bootstrap(brokers) == brokers.replace(" ", "")
    assert check_bootstrap(f"{brokers},") == brokers.replace(" ", ""), "a comma too many is no broker"
    assert len(collect_hosts(brokers)) == len(brokers.split(","))


@pytest.mark.parametrize("brokers", WRONG_BROKERS)
def test_wrong_broker_is_refused(brokers: str) -> None:
    with pytest.raises(ValueError, match="expected brokers such as kafka:9092"):
        check_bootstrap(brokers)


@pytest.mark.parametrize("dsn", DSNS)
def test_connection_strings_of_every_form_are_taken(dsn: str) -> None:
    assert check_dsn(dsn) == dsn


@pytest.mark.parametrize("dsn", WRONG_DSNS)
def test_wrong_connection_string_is_refused_in_one_line_without_its_value(dsn: str) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        check_dsn(dsn)
    text = str(refused.value)
    assert "\n" not in text
    assert "4711" not in text
    assert dsn not in text


@pytest.mark.parametrize("dsn", DSNS)
async def test_what_is_taken_the_client_can_read(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets as far as the network: an error of reading the string would come before that."""

    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("as far as the network")

    for kind in ("create_connection", "create_unix_connection"):
        monkeypatch.setattr(asyncio.get_running_loop(), kind, refuse)
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(dsn)
