"""A forked process of a service does what a new one does."""

import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from harness.forking import SERVER, can_fork
from harness.processes import command_line, run, run_program

pytestmark = pytest.mark.slow

HERE = {"PATH": os.environ["PATH"]}
SIGN = ["sign", "--source", "sms", "--scheme", "standard-webhooks", "--body", "body"]
SECRET = {"QUO_WEBHOOK_SECRET": "whsec_dGhlIGtleSBvZiBRdW8sIGluIHRoaXJ0eS10d28gYnk="}


@pytest.mark.parametrize("arguments", [["--version"], ["export", "--from", "soon"]])
async def test_command_answers_the_same(arguments: list[str]) -> None:
    forked = await run_program("audit", arguments, HERE)
    assert forked == await run(command_line("audit", arguments), HERE)
    assert forked.exit_code in {0, 2}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body").write_bytes(b"{}")


@pytest.fixture
def nothing() -> Generator[int]:
    with Path(os.devnull).open("r+b") as device:
        yield device.fileno()


@pytest.mark.usefixtures("here")
async def test_process_has_its_own_environment_and_directory() -> None:
    signed = [await run_program("webhook_gateway", SIGN, HERE | SECRET) for _ in range(2)]
    assert [each.exit_code for each in signed] == [0, 0], signed
    ids = {line for each in signed for line in each.stdout.splitlines() if line.startswith("webhook-id")}
    assert len(ids) == 2, "no process draws what another has drawn"
    unsigned = await run_program("webhook_gateway", SIGN, HERE)
    assert (unsigned.exit_code, "no secret" in unsigned.stderr) == (2, True)


def test_process_is_killed_alone(nothing: int) -> None:
    nowhere = HERE | {"KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    first, second = (SERVER.start("webhook_gateway", ["serve"], nowhere, [nothing] * 3) for _ in range(2))
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0.1)
    assert os.getsid(first.pid) == first.pid
    first.kill()
    assert first.wait(10) == -signal.SIGKILL
    assert second.poll() is None
    os.kill(second.pid, signal.SIGTERM)
    second.wait(30)


async def test_process_is_customized_as_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('customized')", encoding="utf-8")
    environment = HERE | {"PYTHONPATH": str(tmp_path)}
    assert can_fork(environment)
    forked = await run_program("audit", ["--version"], environment)
    assert forked == await run(command_line("audit", ["--version"]), environment)
    assert forked.stdout.startswith("customized")


def test_variables_of_the_interpreter_need_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_fork(HERE)
    assert not can_fork(HERE | {"PYTHONPATH": "."})
    monkeypatch.setenv("PROCESSES", "new")
    assert not can_fork(HERE)
    monkeypatch.setenv("PROCESSES", "old")
    with pytest.raises(pytest.UsageError, match="PROCESSES=old"):
        can_fork(HERE)
