"""Where this installation's commands are, so that what is advised works as printed."""

import shlex
import shutil
import sys
from pathlib import Path


def missing_folder() -> str | None:
    """Return the folder of `plumbline`, `booking`, `python` and so on; None if the shell finds them there."""
    folder = Path(sys.executable).parent
    program = shutil.which("plumbline")
    return None if program and Path(program).parent == folder else str(folder)


def plumbline() -> str:
    """Return how the caller's shell runs `plumbline`."""
    folder = missing_folder()
    return "plumbline" if folder is None else shlex.quote(str(Path(folder) / "plumbline"))
