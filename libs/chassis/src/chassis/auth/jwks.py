"""The issuer's public keys, from the one configured URL (RFC 7517 §5).

A fetch in the background keeps them fresh; a request waits for one only if its token names a key that we do
not have. Keys that cannot be renewed go on being used for a while: an issuer that is away for an hour must
not lock everybody out.
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

FRESH_SECONDS_MAX = 300.0
"""A key that the issuer withdraws is believed no longer than this, while the issuer answers."""
STALE_SECONDS_MAX = 12 * 3600.0
RETRY_SECONDS = 5.0
FETCHES_MAX = 3
FETCH_WINDOW_SECONDS = 15.0
"""In so long no more than FETCHES_MAX, whatever a flood of tokens with unknown keys asks for."""
FETCH_SECONDS_MAX = 5.0
JWKS_BYTES_MAX = 256 * 1024


class KeysUnavailableError(Exception):
    """The issuer's keys could not be had: no token can be judged; try again."""


class JwksKeys:
    """A part that holds the issuer's keys.

    Args:
        url: where they are fetched, and nowhere else.
        monotonic: seconds, for tests.
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
        """Begin to fetch. An issuer that is away keeps nothing else from starting; readiness tells."""
        await self._loop.start()

    async def stop(self) -> None:
        """Fetch no more; what is under way ends within FETCH_SECONDS_MAX."""
        await self._loop.stop()
        if self._fetching is not None:
            await self._fetching

    async def check(self) -> Check:
        """Bad while there are no keys, or only such as are too old."""
        if self._usable() is None:
            return Check(ok=False, detail=f"no keys of the issuer: {self._failure}")
        return Check(ok=True, detail=self._failure and f"keys are kept from before: {self._failure}")

    async def current(self) -> KeyRing:
        """The keys that we have.

        Raises:
            KeysUnavailableError: none could be had yet, or not for too long.
        """
        if self._usable() is None:
            await self.renewed()
        ring = self._usable()
        if ring is None:
            raise KeysUnavailableError("the issuer's keys cannot be had this moment; try again")
        return ring

    async def renewed(self) -> bool:
        """Fetch the keys, or join a fetch that is under way; False if they could not be asked for or had."""
        if self._fetching is None or self._fetching.done():
            if not self._may_fetch():
                return False
            self._fetches_at.append(self._monotonic())
            self._fetching = asyncio.create_task(self._fetch(), name="fetch token keys")
        # Shielded: the others go on waiting when the request that began the fetch is given up.
        await asyncio.shield(self._fetching)
        return not self._failure

    def _may_fetch(self) -> bool:
        made = self._fetches_at
        return len(made) < FETCHES_MAX or self._monotonic() - made[0] >= FETCH_WINDOW_SECONDS

    def _usable(self) -> KeyRing | None:
        too_old = self._monotonic() - self._fetched_at > STALE_SECONDS_MAX
        return None if too_old else self._ring

    async def _keep_fresh(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.renewed()
            await pause(stopping, RETRY_SECONDS if self._failure else FRESH_SECONDS_MAX)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS_MAX):
                self._ring = read_jwks(await _body(self._url))
        except Exception as error:  # noqa: BLE001 - whatever hinders a fetch, the door answers 503, not 500
            self._failure = in_one_line(error)
            _log.warning("token keys could not be fetched", url=self._url, error=self._failure)
        else:
            self._fetched_at = self._monotonic()
            self._failure = ""


async def _body(url: str) -> bytes:
    # No coding: a small answer could unfold into a large one. No redirect: only the configured URL is asked.
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
