"""HTTP client of witnesses (https://c2sp.org/tlog-witness). The only caller of `httpx` in audit."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

import httpx

from audit.domain.log.keys import VerifierKey
from audit.domain.log.witness_answers import Answer, NotCosigned, Outcome, read_answer
from audit.domain.log.witness_requests import AddCheckpoint
from chassis.process.terminal import plain_reason

REQUEST_SECONDS_MAX = 4.0
ANSWER_BYTES_MAX = 64 * 1024
_CONNECT_SECONDS_MAX = 2.0


class WitnessClient:
    """Asks witnesses for cosignatures. Connections are kept between requests."""

    def __init__(self) -> None:
        # No redirect: only configured addresses. No compression: a small answer could expand to a large one.
        self._http = httpx.AsyncClient(
            follow_redirects=False,
            timeout=httpx.Timeout(REQUEST_SECONDS_MAX, connect=_CONNECT_SECONDS_MAX),
            headers={"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"},
        )

    async def add_checkpoint(self, url: str, request: AddCheckpoint, keys: Sequence[VerifierKey]) -> Answer:
        """Submit a checkpoint and return what the witness says.

        Args:
            url: submission prefix of the witness.
            request: checkpoint and proof.
            keys: the known keys of the witness.
        """
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                return await self._post_again(f"{url.rstrip('/')}/add-checkpoint", request, keys)
        except TimeoutError:
            return NotCosigned(Outcome.UNREACHABLE, f"no answer within {REQUEST_SECONDS_MAX:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return NotCosigned(Outcome.UNREACHABLE, f"it cannot be reached: {plain_reason(error)}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post_again(self, url: str, request: AddCheckpoint, keys: Sequence[VerifierKey]) -> Answer:
        try:
            return await self._post(url, request, keys)
        except httpx.RemoteProtocolError:
            # The kept connection was closed while it waited. To ask twice does no harm.
            return await self._post(url, request, keys)

    async def _post(self, url: str, request: AddCheckpoint, keys: Sequence[VerifierKey]) -> Answer:
        body = bytearray()
        async with self._http.stream("POST", url, content=request.encode()) as response:
            if response.status_code in (HTTPStatus.OK, HTTPStatus.CONFLICT):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        sentence = f"its answer is longer than {ANSWER_BYTES_MAX} bytes"
                        return NotCosigned(Outcome.INVALID_ANSWER, sentence)
            media_type = response.headers.get("content-type", "")
            return read_answer(
                response.status_code, media_type, bytes(body), submitted=request.note, keys=keys
            )
