import asyncio
import hashlib
import os
import re
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from harness.authority import authority
from harness.ports import free_port
from harness.processes import run
from plumbline import jars
from plumbline.failure import StackError
from plumbline.kafka_lock import Artifact

ARTIFACTS = tuple(
    Artifact("org.example", name, "1", hashlib.sha256(name.encode() * 1000).hexdigest(), len(name) * 1000)
    for name in ("one", "two", "three")
)
CONTENT = {artifact.repository_path: artifact.artifact.encode() * 1000 for artifact in ARTIFACTS}


class Repository:
    """A Maven repository on loopback; tests may change its responses."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.content = dict(CONTENT)
        self.failures = 0
        self.cut_short = False
        self.endless = False
        self.hung_up = asyncio.Event()
        self.requests: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        try:
            if self.failures:
                self.failures -= 1
            else:
                await self._answer(head.split()[1].decode().removeprefix("/repo/"), writer)
        except ConnectionError:
            self.hung_up.set()
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        self.requests.append(path)
        body = self.content.get(path)
        length = "" if self.endless else f"content-length: {len(body or b'')}\r\n"
        status = "404 Not Found" if body is None else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\n{length}connection: close\r\n\r\n".encode())
        body = body or b""
        writer.write(body[: len(body) // 2] if self.cut_short else body)
        await writer.drain()
        while self.endless:
            writer.write(b"x" * 65_536)
            await writer.drain()


@pytest.fixture
async def repository() -> AsyncGenerator[Repository]:
    port = free_port()
    server = Repository(f"http://127.0.0.1:{port}/repo")
    async with await asyncio.start_server(server.answer, "127.0.0.1", port):
        yield server


async def fetch(
    cache: Path, address: str, report: jars.Report = lambda _done, _total: None
) -> tuple[Path, ...]:
    environ = {jars.MIRROR_VARIABLE: address}
    return await jars.fetch(ARTIFACTS, cache=cache, environ=environ, report=report)


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


async def test_missing_jars_are_fetched_and_progress_ends_at_the_total(
    repository: Repository, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []

    paths = await fetch(
        tmp_path / "cache", repository.address + "/", lambda done, total: steps.append((done, total))
    )

    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert files(tmp_path / "cache") == ["one-1.jar", "three-1.jar", "two-1.jar"]
    assert steps[-1] == (11_000, 11_000)


async def test_jars_in_the_cache_are_not_fetched_again(repository: Repository, tmp_path: Path) -> None:
    await fetch(tmp_path, repository.address)
    repository.requests.clear()

    await fetch(tmp_path, repository.address)

    assert repository.requests == []


async def test_damaged_jar_in_the_cache_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    one, *_ = await fetch(tmp_path, repository.address)
    one.write_bytes(b"x" * 3000)
    repository.requests.clear()

    await fetch(tmp_path, repository.address)

    assert repository.requests == ["org/example/one/1/one-1.jar"]
    assert one.read_bytes() == b"one" * 1000


async def test_other_bytes_of_the_same_length_are_refused_and_not_kept(
    repository: Repository, tmp_path: Path
) -> None:
    repository.content["org/example/two/1/two-1.jar"] = b"owt" * 1000

    with pytest.raises(StackError, match=r"two-1\.jar .*SHA-256 differs") as refusal:
        await fetch(tmp_path, repository.address)

    assert "two-1.jar" not in files(tmp_path)
    assert not [name for name in files(tmp_path) if name.startswith(".")]
    assert "\n" not in str(refusal.value)


async def test_endless_answer_is_hung_up_on_and_refused(repository: Repository, tmp_path: Path) -> None:
    repository.endless = True

    with pytest.raises(StackError, match="SHA-256 differs"):
        await fetch(tmp_path, repository.address)

    await repository.hung_up.wait()
    assert files(tmp_path) == []


async def test_connection_cut_in_the_middle_is_one_clear_line(repository: Repository, tmp_path: Path) -> None:
    repository.cut_short = True

    with pytest.raises(StackError, match=r"cannot be downloaded from 127\.0\.0\.1") as refusal:
        await fetch(tmp_path, repository.address)

    assert files(tmp_path) == []
    assert jars.MIRROR_VARIABLE in str(refusal.value)


async def test_cache_without_room_is_named_before_anything_is_fetched(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_SPARE_BYTES", 1 << 60)

    with pytest.raises(StackError, match=r"disk of .* is full.*XDG_CACHE_HOME"):
        await fetch(tmp_path, repository.address)

    assert repository.requests == []


async def test_connection_that_breaks_once_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    repository.failures = 1

    await fetch(tmp_path, repository.address)

    assert len(files(tmp_path)) == 3


async def test_proxy_of_the_environment_is_used(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", repository.address.removesuffix("/repo"))
    repository.content = {f"http://repository.invalid/{path}": body for path, body in CONTENT.items()}

    await fetch(tmp_path, "http://repository.invalid")

    assert len(files(tmp_path)) == 3


async def test_missing_artifact_names_status_and_file(repository: Repository, tmp_path: Path) -> None:
    del repository.content["org/example/three/1/three-1.jar"]

    with pytest.raises(StackError, match=r"answered 404 for three-1\.jar"):
        await fetch(tmp_path, repository.address)


async def test_repository_away_names_host_and_variable_but_no_password(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"127\.0\.0\.1.*PLUMBLINE_MAVEN_MIRROR") as refusal:
        await fetch(tmp_path, f"http://user:hidden@127.0.0.1:{free_port()}")

    assert "hidden" not in str(refusal.value)


async def test_address_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="PLUMBLINE_MAVEN_MIRROR"):
        await fetch(tmp_path, "no address")


def test_without_a_mirror_it_is_maven_central() -> None:
    assert jars.repository_address({}).startswith("https://repo")
    assert (
        jars.repository_address({jars.MIRROR_VARIABLE: "https://mirror.example/m2/"})
        == "https://mirror.example/m2"
    )


@pytest.fixture
async def behind_company(tmp_path: Path) -> AsyncGenerator[tuple[str, Path]]:
    """Yield the address of an HTTPS repository, and the certificate of the authority that vouches for it."""
    company, port = authority(tmp_path), free_port()
    server = Repository(f"https://127.0.0.1:{port}/repo")
    # OpenSSL's error about a client that hangs up is none of the server's.
    async with await asyncio.start_server(server.answer, "127.0.0.1", port, ssl=company.server):
        yield server.address, company.certificate


async def test_company_authority_of_ssl_cert_file_is_trusted_and_the_hint_names_it(
    behind_company: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = behind_company
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(StackError, match=r"set SSL_CERT_FILE to the certificates \(PEM\) of your company's"):
        await fetch(tmp_path / "cache", address)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert len(await fetch(tmp_path / "cache", address)) == len(ARTIFACTS)


async def test_set_up_trusts_the_same_authority(
    behind_company: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = behind_company
    makefile = (Path(__file__).parents[3] / "Makefile").read_text()
    options = re.findall(r"^SYSTEM_CERTS := (.*)$", makefile, re.MULTILINE)
    assert makefile.count("uv pip install $(SYSTEM_CERTS)") == 2
    uv = [
        str(Path(sys.executable).with_name("uv")), "pip", "install", *options, "--no-config", "--no-cache",
        "--python", sys.executable, "--dry-run", "--default-index", f"{address}/simple", "no-such-package",
    ]  # fmt: skip
    base = {
        name: value for name, value in os.environ.items() if name not in {"SSL_CERT_FILE", "SSL_CERT_DIR"}
    }
    base["UV_HTTP_RETRIES"] = "0"
    untrusted = await run(uv, base)
    trusted = await run(uv, {**base, "SSL_CERT_FILE": str(certificate)})
    assert "certificate" in untrusted.stderr
    assert "no-such-package was not found" in trusted.stderr
