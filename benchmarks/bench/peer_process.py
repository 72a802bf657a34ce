"""Starts a peer that is a program of its own and says when it is ready."""

import os
import sys
from pathlib import Path

from harness import Stack
from plumbline.processes import Process


async def start_peer(stack: Stack, name: str, program: str, *arguments: str, ready: str) -> Process:
    """Start a program on a stack's servers, and wait until its log has `ready`."""
    environment = {**stack.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    log = Path(environment["AUDIT_CHECKPOINT_DIR"]).parent / f"{name}.log"
    process = Process(name, [sys.executable, program, *arguments], environment=environment, log_path=log)

    async def is_ready() -> bool:
        return ready in process.log_of_this_run()

    await process.launch(is_ready)
    return process
