"""Ends what runs in a directory when the process that started this one has ended, also by SIGKILL.

`python keeper.py DIRECTORY` waits until its standard input closes. Then it kills all processes that work in
the directory or name it on their command line, and removes it. `embedded.py` starts one for its servers.
"""

import os
import shutil
import sys
from pathlib import Path

import psutil


def end_all(directory: Path) -> None:
    """Kill all processes of the directory and remove it."""
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _belongs(process, directory):
            process.kill()
    shutil.rmtree(directory, ignore_errors=True)


def _belongs(process: psutil.Process, directory: Path) -> bool:
    try:
        places = [process.cwd(), *process.cmdline()]
    except psutil.Error:  # it has ended, or is another user's
        return False
    return any(Path(place).is_relative_to(directory) for place in places if place)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_all(Path(sys.argv[1]))
