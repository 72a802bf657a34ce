"""Compare the servers' clocks with this machine's clock: signatures and tokens depend on the time.

PostgreSQL's time comes from a query, a service's time from the Date header of a response (whole seconds). The
reference is the middle between request and response. Kafka has no request for its time and is not checked.
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

DIFFERENCE_SECONDS_MAX = 30.0


class _NoDateError(Exception):
    """The Date header of a response is invalid."""

    def __str__(self) -> str:
        return "the response has an invalid Date header: is the server there a Plumbline service?"


async def clocks(target: Target) -> list[Finding]:
    """Check the clocks of PostgreSQL and of each service. Servers that do not answer are skipped."""
    async with loopback_client() as client:
        findings = await asyncio.gather(
            _compare("clock of postgres", lambda: _postgres_time(target.admin_dsn)),
            *(_compare(f"clock of {name}", _service_time(client, url)) for name, url in target.urls.items()),
        )
    return [finding for finding in findings if finding is not None]


async def _compare(subject: str, read_time: Callable[[], Awaitable[datetime | None]]) -> Finding | None:
    before = clock.now()
    try:
        server_time = await read_time()
    except _NoDateError as error:
        return Finding(subject, str(error))
    middle = before + (clock.now() - before) / 2
    if server_time is None:
        return None
    difference = (server_time - middle).total_seconds()
    problem = (
        f"differs from this machine's by {difference:+.0f} s: synchronise both with one time server (NTP)"
    )
    return Finding(subject, problem if abs(difference) > DIFFERENCE_SECONDS_MAX else "")


async def _postgres_time(admin_dsn: str) -> datetime | None:
    try:
        admin = await databases.connect(admin_dsn)
    except StackError:
        return None  # the finding "postgres" reports the error
    try:
        return await admin.fetchval("SELECT clock_timestamp()")
    except DATABASE_ERRORS:
        return None  # other findings report the error
    finally:
        await admin.close()


def _service_time(client: httpx.AsyncClient, url: str) -> Callable[[], Awaitable[datetime | None]]:
    async def read_time() -> datetime | None:
        try:
            response = await client.get(f"{url}/health/live")
        except (httpx.HTTPError, httpx.InvalidURL):
            return None  # the service's own finding reports the error
        header = response.headers.get("date")
        return _read_date(header) if header else None

    return read_time


def _read_date(header: str) -> datetime:
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        raise _NoDateError from None
    # "-0000" is UTC with an unknown local zone (RFC 5322 §3.3). Python parses it without a zone.
    return date if date.tzinfo else date.replace(tzinfo=UTC)
