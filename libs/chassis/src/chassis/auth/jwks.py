"""Public keys of the issuer, from the configured URL only (RFC 7517 §5).

A background task renews the keys. A request waits for a fetch only if its token names an unknown key. Old
keys stay in use for STALE_SECONDS_MAX while the issuer does not answer, so that callers are not locked out.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus

import httpx

from chassis.auth.keys import KeyRing, UnusableKeyError, read_jwks
from chassis.observability.logs import get_logger
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import Check
from chassis.process.terminal import in_one_line

_log = get_logger(__name__)

FRESH_SECONDS_MAX = 300.0  # so long a withdrawn key is accepted while the issuer answers
STALE_SECONDS_MAX = 12 * 3600.0
RETRY_SECONDS = 5.0
# No more fetches than FETCHES_MAX in one window, even in a flood of tokens with unknown keys.
FETCHES_MAX = 3
FETCH_WINDOW_SECONDS = 15.0
FETCH_SECONDS_MAX = 5.0
JWKS_BYTES_MAX = 256 * 1024


class KeysUnavailableError(Exception):
    """The keys could not be fetched, so no token can be verified; try again."""


class JwksKeys:
    """Component that holds the issuer's keys.

    Args:
        url: of the JWK Set.
        monotonic: clock in seconds, replaced in tests.
    """

    name = "token keys"

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._monotonic = monotonic
        self._ring: KeyRing | None = None
        self._fetched_at = 0.0
        self._fetches_at: deque[float] = deque(maxlen=FETCHES_MAX)
        self._failure = "not fetched yet"
        self._fetching: asyncio.Task[None] | None = None
        self._loop = BackgroundLoop(self.name, self._keep_fresh)

    async def start(self) -> None:
        """Start to fetch. Without the issuer the service starts too; the check fails until keys exist."""
        await self._loop.start()

    async def stop(self) -> None:
        """Stop fetching. A running fetch ends within FETCH_SECONDS_MAX."""
        await self._loop.stop()
        if self._fetching is not None:
            await self._fetching

    async def check(self) -> Check:
        """Return a failed check while there are no keys, or the keys are too old."""
        if self._usable() is None:
            return Check(ok=False, detail=f"no keys of the issuer: {self._failure}")
        return Check(ok=True, detail=self._failure and f"old keys stay in use: {self._failure}")

    async def current(self) -> KeyRing:
        """Return the keys; fetch them first if there are none.

        Raises:
            KeysUnavailableError: no keys were fetched yet, or the last fetch is too long ago.
        """
        if self._usable() is None:
            await self.renew()
        ring = self._usable()
        if ring is None:
            raise KeysUnavailableError("the issuer's keys cannot be fetched now; try again")
        return ring

    async def renew(self) -> bool:
        """Fetch the keys or join a running fetch. Return False if it failed or the fetch limit is reached."""
        if self._fetching is None or self._fetching.done():
            if not self._may_fetch():
                return False
            self._fetches_at.append(self._monotonic())
            self._fetching = asyncio.create_task(self._fetch(), name="fetch token keys")
        # Shielded: other requests still wait when the request that started the fetch is cancelled.
        await asyncio.shield(self._fetching)
        return not self._failure

    def _may_fetch(self) -> bool:
        if len(self._fetches_at) < FETCHES_MAX:
            return True
        return self._monotonic() - self._fetches_at[0] >= FETCH_WINDOW_SECONDS

    def _usable(self) -> KeyRing | None:
        too_old = self._monotonic() - self._fetched_at > STALE_SECONDS_MAX
        return None if too_old else self._ring

    async def _keep_fresh(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.renew()
            await pause(stopping, RETRY_SECONDS if self._failure else FRESH_SECONDS_MAX)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS_MAX):
                self._ring = read_jwks(await _body(self._url))
        except Exception as error:  # noqa: BLE001 - a failed fetch is answered 503, not 500
            self._failure = in_one_line(error)
            _log.warning("token keys could not be fetched", url=self._url, error=self._failure)
        else:
            self._fetched_at = self._monotonic()
            self._failure = ""


async def _body(url: str) -> bytes:
    # No compression: a small answer could expand to a large one. No redirect: only the configured URL.
    headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
    body = bytearray()
    async with (
        httpx.AsyncClient(follow_redirects=False, timeout=FETCH_SECONDS_MAX, headers=headers) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != HTTPStatus.OK:
            raise UnusableKeyError(f"the answer's status is {response.status_code}, not 200")
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > JWKS_BYTES_MAX:
                raise UnusableKeyError(f"the answer is longer than {JWKS_BYTES_MAX} bytes")
    return bytes(body)
