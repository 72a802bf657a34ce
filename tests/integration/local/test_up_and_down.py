"""Nothing is left behind, whatever ends a stack. Services of a few lines, a real Kafka and PostgreSQL."""

import os
import signal
import socket
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from harness import eventually
from harness.folders import open_to_all
from integration.local.machine import START_SECONDS_MAX, Machine, alive
from plumbline.ledger import Ledger

COMMAND = Path(__file__).with_name("embedded_command.py")


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncGenerator[Machine]:
    open_to_all(tmp_path)
    here = Machine(tmp_path)
    yield here
    await here.clean_up()


# Slow: a real stack, and one start that waits in vain for a stopped service.
async def test_stack_outlives_its_detached_start_and_ends_completely(machine: Machine) -> None:
    machine.add_service("tiny")
    code, output = await machine.run(COMMAND, "--detach", "tiny")
    assert code == 0, output
    content = await machine.is_ready()

    assert sorted(alive(content["pids"])) == ["kafka", "postgres", "tiny"]
    assert stat.S_IMODE(machine.state_directory.stack_file.stat().st_mode) == 0o600
    assert content["urls"]["tiny"] == f"http://127.0.0.1:{machine.state_directory.port_base}"
    assert (await machine.plumbline("status"))[0] == 0
    code, output = await machine.plumbline("up")
    assert (code, "already" in output) == (2, True)
    assert (await machine.plumbline("up", "--detach"))[0] == 0

    os.kill(content["pids"]["tiny"], signal.SIGSTOP)
    assert (await machine.plumbline("status"))[0] == 1
    assert (await machine.plumbline("up", "--detach"))[0] == 2
    os.kill(content["pids"]["tiny"], signal.SIGCONT)

    assert (await machine.plumbline("down"))[0] == 0
    assert alive(content["pids"]) == []
    assert not machine.state_directory.stack_file.exists()
    assert (await machine.plumbline("status"))[0] == 1
    assert await machine.plumbline("down") == (0, "nothing was running\n")


# Slow: two starts of a real stack.
async def test_next_start_ends_leftovers_of_a_killed_one_and_keeps_data_and_down_ends_it_too(
    machine: Machine,
) -> None:
    machine.add_service("tiny")
    supervisor = await machine.spawn(COMMAND, "tiny")
    first = await machine.is_ready()
    machine.state_directory.stack_file.rename(machine.state_directory.path / "first.json")
    supervisor.kill()
    await supervisor.wait()
    assert sorted(alive(first["pids"])) == ["kafka", "postgres", "tiny"]

    supervisor = await machine.spawn(COMMAND, "tiny")
    second = await machine.is_ready()

    assert alive(first["pids"]) == []
    assert (second["secrets"], second["postgres"]) == (first["secrets"], first["postgres"])

    assert (await machine.plumbline("down"))[0] == 0

    assert alive(second["pids"]) == []
    output, _ = await supervisor.communicate()
    assert supervisor.returncode == 0
    assert b"leftover processes" in output


async def test_leftovers_of_a_killed_supervisor_are_ended_by_down(machine: Machine) -> None:
    machine.add_service("tiny")
    supervisor = await machine.spawn(COMMAND, "tiny")
    content = await machine.is_ready()
    supervisor.kill()
    await supervisor.wait()

    assert (await machine.plumbline("down"))[0] == 0

    assert alive(content["pids"]) == []


# Slow: a real stack with two services.
async def test_death_of_a_service_is_reported_and_ctrl_c_ends_the_rest(machine: Machine) -> None:
    machine.add_service("tiny")
    machine.add_service("other")
    supervisor = await machine.spawn(COMMAND, "tiny", "other")
    content = await machine.is_ready()
    code, output = await machine.plumbline("up", "--detach")
    assert code == 0, output

    os.kill(content["pids"]["tiny"], signal.SIGKILL)
    assert supervisor.stdout is not None
    said = ""
    while "tiny has ended" not in said:
        said += (await supervisor.stdout.readline()).decode()
    assert sorted(alive(content["pids"])) == ["kafka", "other", "postgres"]
    supervisor.send_signal(signal.SIGINT)
    said += (await supervisor.communicate())[0].decode()

    assert supervisor.returncode == 1
    assert "| tiny service started" in said
    assert alive(content["pids"]) == []
    assert not machine.state_directory.stack_file.exists()


async def test_sigterm_in_the_middle_of_a_start_leaves_nothing(machine: Machine) -> None:
    machine.add_service("tiny")
    supervisor = await machine.spawn(COMMAND, "tiny")

    def started() -> dict[str, int]:
        return {
            process.name: process.pid for process in Ledger(machine.state_directory.ledger).record.processes
        }

    await eventually(lambda: "kafka" in started() and "postgres" in started(), seconds=START_SECONDS_MAX)
    pids = started()
    supervisor.terminate()
    output = (await supervisor.communicate())[0].decode()

    assert supervisor.returncode == 2
    assert "stopped before everything was ready" in output
    assert alive(pids) == []
    assert not machine.state_directory.ledger.exists()


async def test_service_that_cannot_start_ends_the_start_and_leaves_nothing(machine: Machine) -> None:
    machine.add_service("tiny")
    machine.add_service("broken", "raise SystemExit('no such colour')")
    pids: dict[str, int] = {}
    supervisor = await machine.spawn(COMMAND, "--detach", "tiny", "broken")

    def seen() -> bool:
        pids.update({p.name: p.pid for p in Ledger(machine.state_directory.ledger).record.processes})
        return supervisor.returncode is not None

    await eventually(seen, seconds=START_SECONDS_MAX)
    assert supervisor.stdout is not None
    output = (await supervisor.stdout.read()).decode()

    assert supervisor.returncode == 2
    assert "broken ended while starting" in output
    assert "no such colour" in output
    assert {"kafka", "postgres"} <= set(pids)
    assert alive(pids) == []
    assert not machine.state_directory.stack_file.exists()


async def test_busy_port_is_named_before_anything_is_started(machine: Machine) -> None:
    machine.add_service("tiny")
    with socket.create_server(("127.0.0.1", machine.state_directory.kafka_port)):
        code, output = await machine.run(COMMAND, "tiny")

    assert code == 2
    assert f"{machine.state_directory.kafka_port} (kafka) by" in output
    assert not machine.state_directory.kafka.exists()
    assert not machine.state_directory.ledger.exists()
