"""The first hour: the whole system as `make up` starts it, and the pages that a newcomer follows."""

import json
import os
import re
import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from harness.folders import open_to_all
from harness.processes import run
from integration.local.machine import Machine, alive

ROOT = Path(__file__).parents[3]
FIRST_BOOKING = (ROOT / "README.md").read_text().split("\n## Your first booking\n")[1].split("\n## ")[0]
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", FIRST_BOOKING, re.DOTALL))


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Machine]:
    """Start the whole system, and see that nothing is left when it is stopped."""
    directory = tmp_path_factory.mktemp("whole")
    open_to_all(directory)
    here = Machine(directory)
    try:
        code, output = await here.plumbline("up", "--detach")
        assert code == 0, output
        pids = (await here.is_ready())["pids"]
        yield here
        assert (await here.plumbline("down"))[0] == 0
        assert alive(pids) == []
    finally:
        await here.clean_up()


# Slow: the whole system is started for it.
async def test_whole_system_is_healthy(whole: Machine) -> None:
    content = await whole.is_ready()
    assert sorted(content["urls"]) == ["audit", "booking", "reconciler", "webhook-gateway"]
    code, output = await whole.plumbline("doctor", "--json")
    assert [finding for finding in json.loads(output) if not finding["good"]] == []
    assert code == 0
    code, output = await whole.plumbline("status", "--json")
    assert {part["state"] for part in json.loads(output)} == {"ready"}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
async def test_first_booking_of_the_readme_is_made_paid_and_checked(
    whole: Machine, shell: str, tmp_path: Path
) -> None:
    if shutil.which(shell) is None or shutil.which("curl") is None:
        pytest.skip(f"{shell} or curl is not installed")
    # An interactive zsh takes a comment for words of the command.
    assert not re.search(r"(^|\s)#", COMMANDS)
    commands = COMMANDS.replace(".venv/bin/", f"{Path(sys.executable).parent}{os.sep}")
    done = await run([shell, "-c", f"set -eu\ncd {tmp_path}\n{commands}"], whole.environment)
    assert done.exit_code == 0, done.stderr
    assert '{"received": true}' in done.stdout
    assert re.search(r'"to_status": "confirmed",\s+"changed_by": "stripe"', done.stdout)
    assert '"event_type": "stripe.payment_intent.succeeded",\n            "status": "success"' in done.stdout
    assert re.search(r"completed +cli +all .* (\d+) +\1 +0 +0 +0 ", done.stdout), done.stdout
    assert "0 in all" in done.stdout
