"""Servers of a session end with it, however it ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.embedded import keeper

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
SESSION = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from harness.embedded import keeper
with keeper(Path(sys.argv[1])):
    print("kept", flush=True)
    time.sleep(600)
"""
TESTS = str(Path(__file__).parents[2])


@contextmanager
def server(directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(SLEEP, cwd=directory) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_session_takes_its_servers_and_their_data_with_it(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    session = [sys.executable, "-c", SESSION, str(mine), TESTS]
    with server(mine) as ended, server(other) as kept:
        with subprocess.Popen(session, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"kept\n"
            process.kill()
        assert ended.wait(60) == -signal.SIGKILL
        assert kept.poll() is None
    assert other.is_dir()


def test_session_that_ends_leaves_no_keeper(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    with keeper(mine) as process:
        assert process.poll() is None
    assert process.poll() == 0
    assert not mine.exists()
