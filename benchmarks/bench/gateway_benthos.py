"""Builds the Benthos peer where Go is installed: `peers/benthos`, into var/bench."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

PROGRAM = Path("var/bench/benthos-peer").resolve()
_SOURCE = Path(__file__).parent / "peers" / "benthos"
_REQUIRED = re.compile(r"^\s*github\.com/(redpanda-data/benthos|twmb/franz-go)\S* (v\S+)$", re.MULTILINE)


def versions() -> str:
    """Of what it is built on, as `go.mod` pins it."""
    found = _REQUIRED.findall((_SOURCE / "go.mod").read_text(encoding="utf-8"))
    return ", ".join(f"{name.rpartition('/')[2]} {version}" for name, version in found)


async def why_missing() -> str:
    """Build it; why that cannot be done and what to do about it, empty once it is there."""
    go = shutil.which("go")
    if go is None:
        return "Go is not installed: install Go 1.26 or later and run the row again"
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    command = [go, "build", "-trimpath", "-o", str(PROGRAM), "."]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=_SOURCE, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        return f"`go build` in {_SOURCE.name} failed: {said[-1]}: see that Go's module proxy can be reached"
    return ""
