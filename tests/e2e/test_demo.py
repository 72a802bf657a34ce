"""`make demo` and the commands of the README, after the set-up."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from plumbline.ports import is_free

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PLUMBLINE = str(Path(sys.executable).with_name("plumbline"))
SECONDS_MAX = 170


def run(
    *arguments: str, state: Path, base: int | None = None, seconds: int = SECONDS_MAX, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PLUMBLINE_STATE": str(state), **variables}
    environment |= {"PLUMBLINE_PORT_BASE": str(base)} if base else {}
    return subprocess.run(
        [PLUMBLINE, *arguments], env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def processes_of(state: Path) -> list[str]:
    """Return the command lines that mention a state directory: processes that a stack left running."""
    infos = (p.info for p in psutil.process_iter(["cmdline", "pid"]) if p.pid != os.getpid())
    return [" ".join(info["cmdline"]) for info in infos if str(state) in " ".join(info["cmdline"] or ())]


def test_demo_passes_prints_the_tables_of_the_readme_and_leaves_no_process(tmp_path: Path) -> None:
    demo = run("demo", state=tmp_path)

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "All is well" in demo.stdout
    tables = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert tables
    blocks = tables[1].split("\n\n")
    assert len(blocks) > 3
    for title in (block.splitlines()[0].split("  ")[0] for block in blocks if "All is well" not in block):
        assert f"\n{title.split(' 01a')[0]}" in demo.stdout, title
    assert re.search(
        r"^audit +\d+ +intact\n^a copy, one actor changed +\d+ +tampered", demo.stdout, re.MULTILINE
    )
    for note in re.findall(r"^(?:A repeat|\d+ (?:of|exceptions)).*?(?= \[…\])", tables[1], re.MULTILINE):
        assert note in demo.stdout
    for number in re.findall(r"each of (\d+) genuine|; (\d+) forged|all (\d+) falsified", tables[1]):
        assert "".join(number) in re.sub(r"\s+", " ", demo.stdout.split("All is well")[1])
    assert processes_of(tmp_path) == []


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    base = next(b for b in range(22080, 30000, 20) if all(is_free(b + offset) for offset in range(13)))
    up = run("up", "--detach", state=tmp_path, base=base)
    assert up.returncode == 0, up.stdout + up.stderr
    yield tmp_path, base
    assert run("down", state=tmp_path, base=base).returncode == 0
    assert processes_of(tmp_path) == []


def test_stack_is_described_and_healthy(own_stack: tuple[Path, int]) -> None:
    state, base = own_stack
    described = json.loads((state / "stack.json").read_text())
    assert described["urls"] == {
        name: f"http://127.0.0.1:{base + offset}"
        for offset, name in enumerate(("webhook-gateway", "booking", "audit", "reconciler"))
    }
    assert described["kafka_bootstrap"] == f"127.0.0.1:{base + 10}"
    assert set(described["pids"]) == {*described["urls"], "kafka", "postgres"}
    assert all(psutil.pid_exists(pid) for pid in described["pids"].values())
    assert {"admin_dsn", "booking_dsn", "audit_dsn", "reconciler_dsn"} < set(described["postgres"])

    status = run("status", "--json", state=state, base=base)
    assert status.returncode == 0, status.stdout
    doctor = run("doctor", "--json", state=state, base=base)
    assert doctor.returncode == 0, doctor.stdout
    assert "plumbline doctor" in README
    assert "plumbline status" in README

    # Another value restarts the one service that reads it, and is said.
    changed = {"ENABLE_WEBHOOK_VALIDATION": "true", "STRIPE_WEBHOOK_SECRET": f"whsec_{'rotated' * 4}"}
    again = run("up", "--detach", state=state, base=base, **changed)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "restarting webhook-gateway: ENABLE_WEBHOOK_VALIDATION: (not set) → true" in again.stdout
    assert "webhook signatures: checked" in again.stdout
    after = json.loads((state / "stack.json").read_text())
    restarted = [name for name, pid in described["pids"].items() if after["pids"][name] != pid]
    assert restarted == ["webhook-gateway"]
    assert after["secrets"] == {**described["secrets"], "stripe": changed["STRIPE_WEBHOOK_SECRET"]}
    assert after["postgres"] == described["postgres"]

    anew = run("restart", "webhook-gateway", state=state, base=base)
    assert (anew.returncode, anew.stdout) == (0, "restarted: webhook-gateway\n")
    assert "webhook signatures: checked" in run("status", state=state, base=base).stdout

    exported = run("env", state=state, base=base).stdout
    assert f"export BOOKING_URL=http://127.0.0.1:{base + 1}\n" in exported
    assert "export RECONCILER_POSTGRES_DSN=postgresql://reconciler:" in exported
    assert run("reset", "--yes", state=state, base=base).returncode == 2, "a running stack keeps its data"
    logged = run("logs", "-n", "1", "booking", state=state, base=base)
    assert (logged.returncode, len(logged.stdout.splitlines())) == (0, 1)
