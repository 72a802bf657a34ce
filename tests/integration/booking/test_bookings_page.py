"""The commands of docs/bookings.md run as printed."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from harness import Infra, Stack, start_services

PAGE = Path(__file__).parents[3] / "docs" / "bookings.md"


@pytest.fixture(scope="module")
async def stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_commands_of_the_office_run_as_printed(stack: Stack, tmp_path: Path) -> None:
    office = PAGE.read_text().split("## The office's day")[1].split("\n## ")[0]
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", office, re.DOTALL))
    assert commands.count("curl ") >= 9
    environment = {**os.environ, "BOOKING": stack.url("booking")}
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", f"set -euo pipefail\n{commands}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"to_status":"in_progress"' in done.stdout
