import os
import shutil
import signal
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import psutil
import pytest

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from contracts.topics import TOPICS
from harness import eventually
from harness.folders import open_to_all
from harness.ports import free_port
from harness.topics import Record, TestTopic
from plumbline import dsn, postgres_binaries, postgres_directory
from plumbline.failure import StackError
from plumbline.kafka import CONTROLLER_PORT_OFFSET, EmbeddedKafka
from plumbline.ledger import Ledger
from plumbline.postgres import EmbeddedPostgres
from plumbline.processes import Process

TOPIC = TOPICS[0].name


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that the account which runs PostgreSQL for root can reach."""
    open_to_all(tmp_path)
    return tmp_path


@pytest.fixture
async def postgres(directory: Path) -> AsyncGenerator[EmbeddedPostgres]:
    ledger = Ledger(directory / "processes.json")
    async with EmbeddedPostgres(directory / "postgres", free_port(), ledger=ledger) as server:
        yield server


async def execute(server: EmbeddedPostgres, sql: str) -> object:
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def records(kafka: EmbeddedKafka) -> list[bytes | None]:
    return [record.value for record in await TestTopic(kafka.bootstrap, TOPIC).records()]


# Slow: three starts of Kafka.
async def test_kafka_goes_on_with_its_records_after_a_stop_and_after_a_kill(directory: Path) -> None:
    kafka = EmbeddedKafka(directory / "kafka", free_port(CONTROLLER_PORT_OFFSET + 1))
    await kafka.start()
    try:
        await apply_topics(KafkaConnection(kafka.bootstrap, "", {}), TOPICS)
        topic = TestTopic(kafka.bootstrap, TOPIC)
        await topic.publish_all([Record(b"one", key=b"k"), Record(b"two", key=b"k")])
        cluster = (directory / "kafka/data/meta.properties").read_text()

        await kafka.stop()
        assert not kafka.running
        await kafka.start()
        assert await records(kafka) == [b"one", b"two"]

        await topic.publish(b"three", key=b"k")
        await kafka.kill()
        await kafka.start()
        assert await records(kafka) == [b"one", b"two", b"three"]
        assert (directory / "kafka/data/meta.properties").read_text() == cluster
    finally:
        await kafka.stop()
    assert not psutil.pid_exists(kafka.pid)


async def test_kafka_that_was_killed_while_formatting_starts(directory: Path) -> None:
    unfinished = directory / "kafka/data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "meta.properties").write_text("version=1\ncluster.id=half-made\n")

    async with EmbeddedKafka(directory / "kafka", free_port(CONTROLLER_PORT_OFFSET + 1)) as kafka:
        assert kafka.running


async def test_kafka_data_without_its_identity_are_not_formatted_over(directory: Path) -> None:
    data = directory / "kafka/data"
    data.mkdir(parents=True)

    with pytest.raises(StackError, match=r"lost its meta\.properties"):
        await EmbeddedKafka(directory / "kafka", free_port(CONTROLLER_PORT_OFFSET + 1)).start()

    assert list(data.iterdir()) == []


async def test_kafka_on_a_taken_port_says_so_and_leaves_nothing(
    directory: Path, postgres: EmbeddedPostgres
) -> None:
    taken = int(postgres.admin_dsn.rpartition(":")[2].partition("/")[0])
    kafka = EmbeddedKafka(directory / "kafka", taken)

    with pytest.raises(StackError, match="kafka ended while starting"):
        await kafka.start()

    assert not kafka.running


async def test_postgres_goes_on_with_its_rows_after_a_stop_and_after_a_kill(
    postgres: EmbeddedPostgres,
) -> None:
    await execute(postgres, "CREATE TABLE kept AS SELECT 1 AS value")
    await postgres.stop()
    await postgres.start()
    assert await execute(postgres, "SELECT value FROM kept") == 1

    await execute(postgres, "UPDATE kept SET value = 2")
    await postgres.kill()
    await postgres.start()
    assert await execute(postgres, "SELECT value FROM kept") == 2


async def test_postmaster_killed_alone_starts_again_once_its_workers_are_gone(
    postgres: EmbeddedPostgres, directory: Path
) -> None:
    held = await asyncpg.connect(postgres.admin_dsn)
    workers = psutil.Process(postgres.pid).children()
    os.kill(postgres.pid, signal.SIGKILL)

    await eventually(lambda: not postgres.running)
    await postgres.start()

    assert await execute(postgres, "SELECT 1") == 1
    assert not [worker for worker in workers if worker.is_running() and worker.status() != "zombie"]
    assert [process.pid for process in Ledger(directory / "processes.json").record.processes] == [
        postgres.pid
    ]
    held.terminate()


async def test_server_that_runs_is_not_started_again(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(StackError, match=rf"already running \(pid {postgres.pid}\)"):
        await postgres.start()

    assert await execute(postgres, "SELECT 1") == 1


async def test_pid_file_of_a_machine_crash_does_not_keep_postgres_from_starting(
    postgres: EmbeddedPostgres, directory: Path
) -> None:
    """Its pid belongs to another program of the same account by now, which PostgreSQL takes for a server."""
    bystander = Process(
        "bystander",
        ["sleep", "600"],
        environment=os.environ,
        log_path=directory / "bystander.log",
        account=postgres_binaries.account(),
    )
    await postgres.stop()
    bystander.spawn()
    (directory / "postgres/data/postmaster.pid").write_text(f"{bystander.pid}\n{directory}\n1\n")
    try:
        await postgres.start()
        assert await execute(postgres, "SELECT 1") == 1
    finally:
        await bystander.kill()


async def test_second_postgres_on_the_same_data_is_refused(
    postgres: EmbeddedPostgres, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.postgres._ORPHANS_SECONDS_MAX", 0.1)

    with pytest.raises(StackError, match=rf"a PostgreSQL server runs in .* \(pid {postgres.pid}\)"):
        await EmbeddedPostgres(directory / "postgres", free_port()).start()

    assert await execute(postgres, "SELECT 1") == 1


async def test_postgres_wants_its_password_and_listens_on_loopback_only(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.as_role(postgres.admin_dsn, "postgres", "guessed"))

    listening = [c for c in psutil.Process(postgres.pid).net_connections("all") if c.status == "LISTEN"]
    assert {c.laddr[0] for c in listening} == {"127.0.0.1"}
    assert await execute(postgres, "SHOW fsync") == "on"
    assert await execute(postgres, "SHOW unix_socket_directories") == ""


async def test_superuser_password_is_for_its_owner_only_and_its_loss_is_explained(
    postgres: EmbeddedPostgres, directory: Path
) -> None:
    password = directory / "postgres/superuser-password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600

    await postgres.stop()
    password.unlink()
    with pytest.raises(StackError, match="lost its superuser-password"):
        await postgres.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
async def test_roots_closed_directory_is_left_closed_and_a_removed_one_starts_afresh(directory: Path) -> None:
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    state = closed / "postgres"
    elsewhere = postgres_directory.home(state, postgres_binaries.account())
    server = EmbeddedPostgres(state, free_port())
    try:
        async with server:
            await execute(server, "CREATE TABLE old AS SELECT 1")
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700

        shutil.rmtree(state)
        async with server:
            assert await execute(server, "SELECT to_regclass('old')") is None
    finally:
        shutil.rmtree(elsewhere)
