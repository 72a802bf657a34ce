import os
import sys
from pathlib import Path

import psutil
import pytest

from harness import eventually
from harness.ports import free_port
from plumbline import identity
from plumbline.failure import StackError
from plumbline.identity import Identity
from plumbline.ledger import Ledger
from plumbline.processes import Process
from plumbline.service_process import ServiceProcess

TINY = Path(__file__).with_name("tiny_service.py")


def tiny(tmp_path: Path, *options: str, ledger: Ledger | None = None) -> ServiceProcess:
    port = free_port()
    command = [sys.executable, TINY, str(port), *options]
    url = f"http://127.0.0.1:{port}/health/ready"
    return ServiceProcess("tiny", command, os.environ, tmp_path / "tiny.log", url, ledger=ledger)


def python(tmp_path: Path, code: str) -> Process:
    return Process(
        "worker", [sys.executable, "-c", code], environment=os.environ, log_path=tmp_path / "worker.log"
    )


async def test_service_is_ready_when_start_returns_and_gone_when_stop_returns(tmp_path: Path) -> None:
    async with tiny(tmp_path) as service:
        assert service.running
        assert "tiny service started" in service.log_of_this_run()
        pid = service.pid

    assert not service.running
    assert not psutil.pid_exists(pid)


async def test_killed_service_starts_again_and_its_log_goes_on(tmp_path: Path) -> None:
    service = tiny(tmp_path)
    await service.start()
    await service.kill()
    await service.start()

    assert service.log_of_this_run().count("started") == 1
    assert service.log_path.read_text().count("tiny service started") == 2
    await service.stop()


async def test_service_started_twice_is_refused(tmp_path: Path) -> None:
    async with tiny(tmp_path) as service:
        with pytest.raises(StackError, match="already running"):
            await service.start()


async def test_service_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    service = tiny(tmp_path, ledger=Ledger(tmp_path / "processes.json"))
    service._command = [sys.executable, "-c", "print('no such colour\\n' * 9); raise SystemExit(3)"]

    with pytest.raises(StackError, match=r"tiny ended while starting[^|]*\| no such colour") as refused:
        await service.start()

    assert str(refused.value).count("no such colour") == 1, "each line once"

    assert Ledger(tmp_path / "processes.json").record.processes == ()


async def test_service_that_never_gets_ready_is_ended_in_bounded_time(tmp_path: Path) -> None:
    service = tiny(tmp_path)
    service.ready_url = f"http://127.0.0.1:{free_port()}/"

    with pytest.raises(StackError, match="not ready within 1 s"):
        await service.start(seconds_max=1)

    assert not service.running


async def test_process_that_ignores_the_stop_signal_is_killed(tmp_path: Path) -> None:
    service = tiny(tmp_path, "ignore-sigterm")
    service.stop_seconds_max = 0.2
    await service.start()

    await service.stop()

    assert not service.running


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_ended_process_leaves_no_descendant(tmp_path: Path, end: str) -> None:
    service = tiny(tmp_path, "with-child")
    await service.start()
    (child,) = psutil.Process(service.pid).children()

    await getattr(service, end)()

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_interrupt_of_our_process_group_does_not_reach_the_child(tmp_path: Path) -> None:
    async with tiny(tmp_path) as service:
        assert os.getsid(service.pid) == service.pid


async def test_ledger_holds_a_process_exactly_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    async with tiny(tmp_path, ledger=Ledger(path)) as service:
        (written,) = Ledger(path).record.processes
        assert (written.name, written.pid, written.alive) == ("tiny", service.pid, True)

    assert Ledger(path).record.processes == ()


async def test_work_that_fails_shows_exit_code_and_end_of_log(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"exit code 3 [^|]*\| broken"):
        await python(tmp_path, "print('broken'); raise SystemExit(3)").run()


async def test_work_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    worker = python(tmp_path, "import signal; signal.pause()")

    with pytest.raises(StackError, match="did not finish within 1 s"):
        await worker.run(seconds_max=1)

    assert not worker.running


async def test_work_that_succeeds_says_nothing(tmp_path: Path) -> None:
    await python(tmp_path, "print('done')").run()


async def test_huge_log_is_set_aside_at_the_next_start(tmp_path: Path) -> None:
    worker = python(tmp_path, "print('new')")
    worker.log_path.write_bytes(b"old\n" * (5 * 1024 * 1024))

    await worker.run()

    assert worker.log_path.read_text() == "new\n"
    assert worker.log_path.with_suffix(".log.1").stat().st_size > 16 * 1024 * 1024


async def test_recycled_pid_is_never_ended(tmp_path: Path) -> None:
    """The process runs, but its start time differs from the identity's."""
    async with tiny(tmp_path) as other:
        real = Identity.of("other", other.pid)
        recycled = Identity("ours", other.pid, real.started_at - 60)

        await identity.end(recycled, stop_seconds_max=0)

        assert not recycled.alive
        assert real.alive
        assert other.running


async def test_zombie_counts_as_gone(tmp_path: Path) -> None:
    service = tiny(tmp_path)
    await service.start()
    child = psutil.Process(service.pid)
    dead = Identity.of("dead", service.pid)
    child.kill()

    await eventually(lambda: child.status() == psutil.STATUS_ZOMBIE)
    assert not dead.alive
    await service.stop()
