"""A command imports what it uses: the frameworks of a server are not among it."""

import subprocess
import sys

SERVICES = ("webhook_gateway", "booking", "audit", "reconciler")
OF_SERVERS = "litestar faststream aiokafka uvicorn httpx joserfc stripe holidays.registry"
PROGRAM = """
import importlib, sys, typer
for service in sys.argv[2:]:
    commands = typer.main.get_command(importlib.import_module(f"{service}.__main__").cli).commands
    assert "serve" in commands
    for name in set(commands) - {"serve"}:
        assert commands[name].name == name
        loaded = [module for module in sys.argv[1].split() if module in sys.modules]
        if loaded:
            sys.exit(f"{service} {name} imports {loaded}")
"""


def test_no_command_but_serve_imports_the_frameworks_of_a_server() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, OF_SERVERS, *SERVICES],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
