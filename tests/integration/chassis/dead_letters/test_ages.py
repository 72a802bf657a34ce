"""Ages of dead letters count from the database's clock, not from the operator's (docs/delivery.md)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import typer
from typer.testing import CliRunner

from chassis import clock
from chassis.dead_letters.operator import console
from chassis.dead_letters.operator.cli import add_dead_letters
from chassis.messaging.message import Message
from chassis.postgres import Connection, Database
from integration.chassis.dead_letters.test_dead_letters import message, put
from integration.chassis.ground import SERVICE, Ground


@pytest.mark.parametrize("hours_off", [-3, 3])
async def test_clock_of_the_operator_does_not_count(
    place: Ground, database: Database, monkeypatch: pytest.MonkeyPatch, hours_off: int
) -> None:
    await put(database, message("old", 0))
    await place.sql.execute("UPDATE dead_letter SET key = 'old', set_aside_at = now() - interval '2 hours'")
    await put(database, message("young", 1), message("younger", 2))
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=hours_off))
    monkeypatch.setattr(console, "configure_logs", lambda *_, **__: None)

    async def apply(_: Connection, messages: Sequence[Message]) -> int:
        return len(messages)

    cli = typer.Typer()
    add_dead_letters(cli, SERVICE, lambda: place.database("desk"), apply)

    async def counted(option: str) -> str:
        arguments = ["dead-letters", "replay", option, "1h", "--dry-run"]
        return (await asyncio.to_thread(CliRunner().invoke, cli, arguments)).stdout

    assert await counted("--older-than") == "lines: 1, messages: 1\n"
    assert await counted("--newer-than") == "lines: 1, messages: 2\n"
