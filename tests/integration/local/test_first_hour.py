"""The first hour: the whole system as `make up` starts it, and the pages that a newcomer follows."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from chassis.http.read_deadline import READ_SECONDS_MAX
from harness import eventually
from harness.folders import open_to_all
from harness.processes import plain_terminal, run
from integration.local.machine import Machine, alive

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
FIRST_BOOKING = README.split("\n## Your first booking\n")[1].split("\n## ")[0]
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", FIRST_BOOKING, re.DOTALL))
CONSUMING = (ROOT / "docs/consuming.md").read_text()
LINE_SECONDS_MAX = 30.0
LATE_SECONDS_MAX = 5.0


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Machine]:
    """Start the whole system, and see that nothing is left when it is stopped."""
    directory = tmp_path_factory.mktemp("whole")
    open_to_all(directory)
    here = Machine(directory)
    try:
        code, output = await here.plumbline("up", "--detach")
        assert code == 0, output
        yield here
        pids = (await here.is_ready())["pids"]
        assert (await here.plumbline("down"))[0] == 0
        assert alive(pids) == []
    finally:
        await here.clean_up()


# Slow: the whole system is started for it.
async def test_whole_system_is_described_and_healthy(whole: Machine) -> None:
    content = await whole.is_ready()
    base = whole.state_directory.port_base
    assert content["urls"] == {
        name: f"http://127.0.0.1:{base + offset}"
        for offset, name in enumerate(("webhook-gateway", "booking", "audit", "reconciler"))
    }
    assert content["kafka_bootstrap"] == f"127.0.0.1:{base + 10}"
    assert sorted(alive(content["pids"])) == sorted({*content["urls"], "kafka", "postgres"})
    assert {"admin_dsn", "booking_dsn", "audit_dsn", "reconciler_dsn"} < set(content["postgres"])

    code, output = await whole.plumbline("doctor", "--json")
    assert [finding for finding in json.loads(output) if not finding["good"]] == []
    assert code == 0
    code, output = await whole.plumbline("status", "--json")
    assert {part["state"] for part in json.loads(output)} == {"ready"}
    _, exported = await whole.plumbline("env")
    assert f"export BOOKING_URL=http://127.0.0.1:{base + 1}\n" in exported
    assert "export RECONCILER_POSTGRES_DSN=postgresql://reconciler:" in exported
    assert (await whole.plumbline("reset", "--yes"))[0] == 2, "a running stack keeps its data"
    code, output = await whole.plumbline("logs", "-n", "1", "booking")
    assert (code, len(output.splitlines())) == (0, 1)
    assert "plumbline doctor" in README
    assert "plumbline status" in README


# Slow: it restarts a service three times.
async def test_another_setting_restarts_the_one_service_that_reads_it_and_is_said(whole: Machine) -> None:
    before = await whole.is_ready()
    changed = {"ENABLE_WEBHOOK_VALIDATION": "true", "STRIPE_WEBHOOK_SECRET": f"whsec_{'rotated' * 4}"}
    try:
        code, output = await whole.plumbline("up", "--detach", **changed)
        assert code == 0, output
        assert "restarting webhook-gateway: ENABLE_WEBHOOK_VALIDATION: (not set) → true" in output
        assert "webhook signatures: checked" in output
        after = await whole.is_ready()
        restarted = [name for name, pid in before["pids"].items() if after["pids"][name] != pid]
        assert restarted == ["webhook-gateway"]
        assert after["secrets"] == {**before["secrets"], "stripe": changed["STRIPE_WEBHOOK_SECRET"]}
        assert after["postgres"] == before["postgres"]

        anew = await whole.plumbline("restart", "webhook-gateway")
        assert anew == (0, "restarted: webhook-gateway\n")
        assert "webhook signatures: checked" in (await whole.plumbline("status"))[1]
    finally:  # the other tests send webhooks without a signature
        code, output = await whole.plumbline("up", "--detach")
    assert "restarting webhook-gateway: ENABLE_WEBHOOK_VALIDATION: true → (not set)" in output
    assert (await whole.is_ready())["secrets"] == before["secrets"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
async def test_first_booking_of_the_readme_is_made_paid_and_checked(
    whole: Machine, shell: str, tmp_path: Path
) -> None:
    if shutil.which(shell) is None or shutil.which("curl") is None:
        pytest.skip(f"{shell} or curl is not installed")
    # An interactive zsh takes a comment for words of the command.
    assert not re.search(r"(^|\s)#", COMMANDS)
    commands = COMMANDS.replace(".venv/bin/", f"{Path(sys.executable).parent}{os.sep}")
    # A clean environment, as of `env -i`.
    kept = ("PATH", "HOME", "PLUMBLINE_STATE", "PLUMBLINE_PORT_BASE")
    bare = plain_terminal({name: whole.environment[name] for name in kept if name in whole.environment})
    done = await run([shell, "-c", f"set -eu\ncd {tmp_path}\n{commands}"], bare)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert '{"received": true}' in done.stdout
    assert re.search(r'"to_status": "confirmed",\s+"changed_by": "stripe"', done.stdout)
    assert '"event_type": "stripe.payment_intent.succeeded",\n            "status": "success"' in done.stdout
    assert re.search(r"^\S{36}  completed +\d+ +0 +0$", done.stdout, re.MULTILINE), done.stdout
    assert done.stdout.endswith("no exception waits\n")


async def create_booking(whole: Machine, http: httpx.AsyncClient) -> str:
    urls = (await whole.is_ready())["urls"]
    (body,) = re.findall(r"-d '(\{.*?\n\})'", COMMANDS, re.DOTALL)
    answer = await http.post(f"{urls['booking']}/api/bookings", json=json.loads(body))
    return answer.raise_for_status().json()["id"]


async def line_with(process: Process, *texts: str) -> str:
    """Read what a command prints until a line has all these texts."""
    assert process.stdout is not None
    async with asyncio.timeout(LINE_SECONDS_MAX):
        while line := (await process.stdout.readline()).decode():
            if all(text in line for text in texts):
                return line
    raise AssertionError(f"the command has ended with {await process.wait()}")


@contextmanager
def hanging(server: int) -> Generator[None]:
    """Let a server and its processes stand still, as behind a network that swallows packets."""
    parent = psutil.Process(server)
    stopped = [parent, *parent.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


# Slow: it waits for the deadline of a read.
async def test_while_postgres_hangs_reads_are_503_in_time_and_good_again_afterwards(
    whole: Machine, http: httpx.AsyncClient
) -> None:
    content = await whole.is_ready()
    paths = {"booking": "/api/bookings", "audit": "/api/event-log", "reconciler": "/api/exceptions"}

    async def ask() -> list[httpx.Response]:
        seconds_max = READ_SECONDS_MAX + LATE_SECONDS_MAX
        addresses = [f"{content['urls'][service]}{path}" for service, path in paths.items()]
        return await asyncio.gather(*(http.get(address, timeout=seconds_max) for address in addresses))

    with hanging(content["pids"]["postgres"]):
        answers = await ask()
    told = {(answer.status_code, int(answer.headers["retry-after"]) > 0) for answer in answers}
    assert told == {(503, True)}, [answer.text for answer in answers]

    async def are_good() -> bool:
        return {answer.status_code for answer in await ask()} == {200}

    await eventually(are_good, seconds=30)


async def test_program_of_the_page_about_consuming_prints_events(
    whole: Machine, http: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", CONSUMING, re.DOTALL)
    (tmp_path / "consume.py").write_text(program)
    bootstrap = (await whole.is_ready())["kafka_bootstrap"]
    monkeypatch.setitem(whole.environment, "KAFKA_BOOTSTRAP", bootstrap)
    process = await whole.spawn(tmp_path / "consume.py")
    booking_id = await create_booking(whole, http)
    line = await line_with(process, booking_id)
    assert line.startswith("booking.created 1 ")
    assert "status='pending'" in line


# Slow: it starts a command for a history that the other test above may have made, and one that follows.
async def test_events_prints_what_has_passed_and_what_passes_until_ctrl_c(
    whole: Machine, http: httpx.AsyncClient
) -> None:
    follower = await whole.spawn("-m", "plumbline", "events", "--follow", "--topic", "bookings.events.v1")
    booking_id = await create_booking(whole, http)
    line = await line_with(follower, "booking.created", booking_id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [0-9:]{8}Z bookings\.events\.v1 +booking\.created +\S+\n", line)
    follower.send_signal(signal.SIGINT)
    rest, _ = await follower.communicate()
    assert (follower.returncode, rest.count(b"Traceback")) == (0, 0)

    code, output = await whole.plumbline("events", "--lines", "1", "--json", "--topic", "bookings.events.v1")
    assert (code, output.count("\n")) == (0, 1)
    event = json.loads(output)
    assert (event["type"], event["key"], event["sequence"]) == ("booking.created", booking_id, "1")
    code, output = await whole.plumbline("events", "--topic", "bookings")
    assert (code, output.count("\n")) == (2, 1)
    assert "bookings.events.v1" in output
