"""Checks of clocks against the one of this machine: signatures and tokens live by them.

PostgreSQL is asked by a query, a service by the Date header of its answer (whole seconds); compared is the
middle of question and answer. A Kafka broker has no request that tells its time, so it is not asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from chassis import clock
from chassis.postgres import DATABASE_ERRORS
from plumbline import databases
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError
from plumbline.service_process import loopback_client

APART_SECONDS_MAX = 30.0


class _NoDateError(Exception):
    """The Date header of an answer cannot be read."""

    def __str__(self) -> str:
        return "its answer has a Date that is none: is it our service that answers there?"


async def clocks(target: Target) -> list[Finding]:
    """The database server's clock and each service's; a service that does not answer has its own line."""
    async with loopback_client() as client:
        found = await asyncio.gather(
            _compared("clock of postgres", lambda: _of_postgres(target.admin_dsn)),
            *(_compared(f"clock of {name}", _asker(client, url)) for name, url in target.urls.items()),
        )
    return [finding for finding in found if finding is not None]


async def _compared(subject: str, ask: Callable[[], Awaitable[datetime | None]]) -> Finding | None:
    before = clock.now()
    try:
        theirs = await ask()
    except _NoDateError as error:
        return Finding(subject, str(error))
    middle = before + (clock.now() - before) / 2
    if theirs is None:
        return None
    apart = (theirs - middle).total_seconds()
    problem = f"is {apart:+.0f} s from this machine's: let both follow the same time server (NTP)"
    return Finding(subject, problem if abs(apart) > APART_SECONDS_MAX else "")


async def _of_postgres(admin_dsn: str) -> datetime | None:
    try:
        admin = await databases.connect(admin_dsn)
    except StackError:
        return None  # the line "postgres" says so
    try:
        return await admin.fetchval("SELECT clock_timestamp()")
    except DATABASE_ERRORS:
        return None  # likewise
    finally:
        await admin.close()


def _asker(client: httpx.AsyncClient, url: str) -> Callable[[], Awaitable[datetime | None]]:
    async def ask() -> datetime | None:
        try:
            answer = await client.get(f"{url}/health/live")
        except (httpx.HTTPError, httpx.InvalidURL):
            return None  # the service's own line says so
        stated = answer.headers.get("date")
        return _read_date(stated) if stated else None

    return ask


def _read_date(stated: str) -> datetime:
    try:
        date = parsedate_to_datetime(stated)
    except (ValueError, OverflowError):
        raise _NoDateError from None
    # "-0000" is UTC of somebody who does not tell his zone (RFC 5322 §3.3), and is read without one.
    return date if date.tzinfo else date.replace(tzinfo=UTC)
