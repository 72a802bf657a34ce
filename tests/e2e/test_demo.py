"""`make demo` after the set-up."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PLUMBLINE = str(Path(sys.executable).with_name("plumbline"))
SECONDS_MAX = 170


def run_demo(state: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PLUMBLINE_STATE": str(state)}
    return subprocess.run(
        [PLUMBLINE, "demo"], env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )


def processes_of(state: Path) -> list[str]:
    """Return the command lines that mention a state directory: processes that a stack left running."""
    infos = (p.info for p in psutil.process_iter(["cmdline", "pid"]) if p.pid != os.getpid())
    return [" ".join(info["cmdline"]) for info in infos if str(state) in " ".join(info["cmdline"] or ())]


def test_demo_passes_prints_the_tables_of_the_readme_and_leaves_no_process(tmp_path: Path) -> None:
    demo = run_demo(tmp_path)

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
