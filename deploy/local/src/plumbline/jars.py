"""Kafka's jars: downloaded once from a Maven repository, cached, digests checked at every use."""

import asyncio
import ssl
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from plumbline import atomic, disk, waiting
from plumbline.failure import StackError
from plumbline.kafka_lock import Artifact

MIRROR_VARIABLE = "PLUMBLINE_MAVEN_MIRROR"
"""Variable with the address of a Maven repository to use instead of Maven Central."""

_DOWNLOADS_MAX = 6
_ATTEMPTS_MAX = 3
_SPARE_BYTES = 16 * 1024 * 1024
_CONNECT_SECONDS_MAX = 8.0
_SILENCE_SECONDS_MAX = 20.0

Report = Callable[[int, int], None]
"""Callback for progress: bytes downloaded, bytes in total."""


def repository_address(environ: Mapping[str, str]) -> str:
    """Return the address of the Maven repository."""
    # jgo has the address of Maven Central, so that no file of this project contains the address.
    if mirror := environ.get(MIRROR_VARIABLE):
        return mirror.rstrip("/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a dependency of jgo warns about a missing XDG_RUNTIME_DIR
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415  (takes 0.3 s; only a first start needs it)
    return MAVEN_CENTRAL_URL


async def fetch(
    artifacts: Iterable[Artifact], *, cache: Path, environ: Mapping[str, str], report: Report
) -> tuple[Path, ...]:
    """Download the artifacts that `cache` lacks and return the paths of all.

    A jar with a wrong digest is downloaded again.

    Raises:
        StackError: the repository cannot be reached, or returns other bytes than the lock file names.
    """
    artifacts = tuple(artifacts)
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    missing = await asyncio.to_thread(_missing, artifacts, cache)
    if missing:
        needed = sum(artifact.size for artifact in missing) + _SPARE_BYTES
        disk.require_free_space(cache, free_bytes_min=needed, variable="XDG_CACHE_HOME")
        address = await asyncio.to_thread(repository_address, environ)
        await _Download(missing, cache, address, report).run()
    return tuple(cache / artifact.file_name for artifact in artifacts)


def _missing(artifacts: Iterable[Artifact], cache: Path) -> list[Artifact]:
    return [a for a in artifacts if not _is_present(a, cache / a.file_name)]


def _is_present(artifact: Artifact, path: Path) -> bool:
    return path.is_file() and artifact.is_content(path.read_bytes())


def _advice(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "set SSL_CERT_FILE to the certificates (PEM) of your company's authority"
    return f"check the network, or set {MIRROR_VARIABLE} to a repository that can be reached"


class _Download:
    def __init__(self, artifacts: list[Artifact], cache: Path, address: str, report: Report) -> None:
        self._artifacts = artifacts
        self._cache = cache
        self._address = address
        self._report = report
        self._bytes_done = 0
        self._bytes_total = sum(artifact.size for artifact in artifacts)
        self._slots = asyncio.Semaphore(_DOWNLOADS_MAX)

    async def run(self) -> None:
        timeout = httpx.Timeout(_SILENCE_SECONDS_MAX, connect=_CONNECT_SECONDS_MAX)
        # The system's certificates hold those of a company's own authority. SSL_CERT_FILE names others.
        trusted = ssl.create_default_context()
        async with httpx.AsyncClient(timeout=timeout, follow_redirects=True, verify=trusted) as client:
            await waiting.gather_or_cancel(*(self._fetch(client, artifact) for artifact in self._artifacts))

    async def _fetch(self, client: httpx.AsyncClient, artifact: Artifact) -> None:
        async with self._slots:
            content = await self._content(client, artifact)
        if not artifact.is_content(content):
            raise StackError(
                f"{artifact.file_name} from {self._host} is not the file in kafka.lock (SHA-256 differs):"
                f" try again, or choose another repository with {MIRROR_VARIABLE}"
            )
        # Not in a thread: a cancelled download must stop writing.
        atomic.write_bytes(self._cache / artifact.file_name, content, mode=atomic.PUBLIC)

    async def _content(self, client: httpx.AsyncClient, artifact: Artifact) -> bytes:
        url = f"{self._address}/{artifact.repository_path}"
        for attempts_left in reversed(range(_ATTEMPTS_MAX)):
            try:
                return await self._stream(client, url, artifact)
            except httpx.HTTPStatusError as error:
                raise StackError(
                    f"{self._host} answered {error.response.status_code} for {artifact.file_name}:"
                    f" choose another repository with {MIRROR_VARIABLE}"
                ) from error
            except (httpx.TransportError, httpx.InvalidURL) as error:
                if not attempts_left:
                    raise StackError(
                        f"Kafka cannot be downloaded from {self._host} ({error or type(error).__name__}):"
                        f" {_advice(error)}"
                    ) from error
        raise AssertionError("the last attempt returns or raises")

    async def _stream(self, client: httpx.AsyncClient, url: str, artifact: Artifact) -> bytes:
        # At most one byte more than the locked size is kept: a wrong response cannot fill the memory.
        content = bytearray()
        async with client.stream("GET", url) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                content += chunk[: artifact.size + 1 - len(content)]
                if len(content) > artifact.size:
                    break
        self._bytes_done += len(content)
        self._report(self._bytes_done, self._bytes_total)
        return bytes(content)

    @property
    def _host(self) -> str:
        return urlsplit(self._address).hostname or self._address
