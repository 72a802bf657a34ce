"""Programs of others, built with Go from `tests/foreign`, which pins them. Without Go a test skips."""

import fcntl
import functools
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parent.parent / "foreign"
_PROGRAMS = Path("var/foreign").resolve()
_BUILD_SECONDS_MAX = 300.0


@functools.cache
def build(name: str, package: str, *, module: str = ".") -> Path:
    """Build a package and return the program. Workers build one after the other.

    Args:
        name: of the program.
        package: one of the module, or one that its go.mod pins.
        module: folder in `tests/foreign` with the go.mod.
    """
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"Go is not installed: {name} cannot be built")
    _PROGRAMS.mkdir(parents=True, exist_ok=True)
    with (_PROGRAMS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [go, "build", "-trimpath", "-o", str(_PROGRAMS / name), package],
            cwd=_SOURCE / module,
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS_MAX,
        )
    if done.returncode:
        pytest.skip(
            f"{name} cannot be built, see that Go's module proxy answers: {done.stderr.strip()[-300:]}"
        )
    return _PROGRAMS / name
