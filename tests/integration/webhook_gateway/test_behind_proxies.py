"""The proxies of docs/edge.md in front of real gateways: answers arrive as the gateway wrote them."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis import clock
from harness import Deliver, Infra, Stack, eventually, start_services
from harness.ports import free_port

PAGE = (Path(__file__).parents[3] / "docs/edge.md").read_text(encoding="utf-8")
GATEWAY, SITE, CERTIFICATE, KEY = (
    "127.0.0.1:8080",
    "webhooks.example.com",
    "/etc/nginx/tls/webhooks.pem",
    "/etc/nginx/tls/webhooks.key",
)
NGINX = "pid {folder}/pid; events {{}} http {{ access_log off; {paths}\n{block}\n}}\n"
NGINX_PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
BODY_BYTES_MAX = 512 * 1024
FORGED = "whsec_" + "0" * 32


class Edge:
    """Two gateways, one of them without a broker, and each behind a proxy of its own."""

    def __init__(self, stack: Stack, urls: Mapping[str, str], http: httpx.AsyncClient) -> None:
        self.stack = stack
        self.urls = urls
        self.http = http
        self.deliver = Deliver(http, stack.secrets, lambda: urls["proxy of gateway"])

    async def both_ways(
        self, body: bytes, *, gateway: str = "gateway", secret: str | None = None
    ) -> tuple[httpx.Response, httpx.Response]:
        """Deliver through the proxy, then to the gateway itself."""
        headers = {"x-forwarded-for": "203.0.113.9"}
        urls = (self.urls[f"proxy of {gateway}"], self.urls[gateway])
        through, direct = [
            await self.deliver.stripe(body, gateway=url, secret=secret, headers=headers) for url in urls
        ]
        return through, direct


@pytest.fixture(scope="module", params=["nginx", "caddy"])
async def edge(
    infra: Infra, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Edge]:
    program = shutil.which(request.param, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"{request.param} is not installed (docs/edge.md, 'What was tried')")
    start = {"nginx": nginx, "caddy": caddy}[request.param]
    env = {"ENABLE_WEBHOOK_VALIDATION": "true", "GATEWAY_PROXIES_TRUSTED": "1"}
    async with AsyncExitStack() as stay:
        stack = await stay.enter_async_context(start_services(infra, "webhook-gateway", env=env))
        nowhere = {"KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}", "GATEWAY_ACK_SECONDS_MAX": "1"}
        cut_off = await stack.start("webhook-gateway", env=nowhere, ready=False)
        http = await stay.enter_async_context(httpx.AsyncClient(verify=False, trust_env=False, timeout=20))
        urls = {"gateway": stack.url("webhook-gateway"), "cut off": cut_off.url}
        for name, url in list(urls.items()):
            await eventually(lambda url=url: answers(http, f"{url}/health/live"), seconds=30)
            folder = tmp_path_factory.mktemp("proxy")
            write_certificate(folder)
            urls[f"proxy of {name}"] = await stay.enter_async_context(start(program, folder, url))
        for name in ("proxy of gateway", "proxy of cut off"):
            await eventually(lambda url=urls[name]: answers(http, f"{url}/", status=404))
        yield Edge(stack, urls, http)


async def answers(http: httpx.AsyncClient, url: str, *, status: int = 200) -> bool:
    try:
        return (await http.get(url)).status_code == status
    except httpx.TransportError:
        return False


def block(language: str, gateway_url: str, **places: str) -> str:
    """The page's block in `language`, with the addresses of this run."""
    text = PAGE.partition(f"```{language}\n")[2].partition("```")[0]
    for old, new in {GATEWAY: gateway_url.removeprefix("http://"), **places}.items():
        assert text.count(old) == 1, f"{old} stands in the {language} block once"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def nginx(program: str, folder: Path, gateway_url: str) -> AsyncGenerator[str]:
    port = free_port()
    places = {
        "listen 443": f"listen 127.0.0.1:{port}",
        CERTIFICATE: f"{folder}/c.pem",
        KEY: f"{folder}/k.pem",
    }
    paths = " ".join(f"{each}_temp_path {folder}/{each};" for each in NGINX_PATHS)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, paths=paths, block=block("nginx", gateway_url, **places)))
    options = ("-p", str(folder), "-e", "stderr", "-c", str(config), "-g", "daemon off; master_process off;")
    async with running(program, *options):
        yield f"https://127.0.0.1:{port}"


@asynccontextmanager
async def caddy(program: str, folder: Path, gateway_url: str) -> AsyncGenerator[str]:
    port = free_port()
    site = f"https://127.0.0.1:{port} {{\n\ttls {folder}/c.pem {folder}/k.pem"
    text = block("caddyfile", gateway_url, **{SITE + " {": site})
    config = folder / "Caddyfile"
    config.write_text(text.replace("{\n", "{\n\tadmin off\n\tauto_https disable_redirects\n", 1))
    options = ("run", "--adapter", "caddyfile", "--config", str(config))
    async with running(program, *options, HOME=str(folder)):
        yield f"https://127.0.0.1:{port}"


@asynccontextmanager
async def running(program: str, *options: str, **env: str) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(program, *options, env={**os.environ, **env})
    try:
        yield
    finally:
        assert process.returncode is None, "the proxy ended by itself"
        process.terminate()
        await process.wait()


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "c.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "k.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def event(size: int = 0) -> bytes:
    """A body that no other test sends, in a spelling that a parser would not keep."""
    return b'{"id" : "evt_%b","type":"a.b",  "data":{"object":{"x":"%b"}}}' % (
        clock.new_id().encode(),
        b"y" * size,
    )


def assert_same(through: httpx.Response, direct: httpx.Response) -> None:
    names = ("content-type", "content-length", "retry-after")
    assert through.status_code == direct.status_code
    assert through.content == direct.content
    assert [through.headers.get(name) for name in names] == [direct.headers.get(name) for name in names]


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("stripe", "webhooks.stripe.v1"),
        ("sms_legacy", "webhooks.sms.v1"),
        ("quo", "webhooks.sms.v1"),
    ],
)
async def test_signed_delivery_is_stored_as_it_was_sent(edge: Edge, kind: str, topic: str) -> None:
    body = event()
    answer = await getattr(edge.deliver, kind)(body)
    assert (answer.status_code, answer.content) == (200, b'{"received": true}')
    assert body in [record.value for record in await edge.stack.topic(topic).records()]


async def test_413_arrives_unchanged(edge: Edge) -> None:
    through, direct = await edge.both_ways(event(BODY_BYTES_MAX))
    assert (through.status_code, through.json()["reason"]) == (413, "body_too_large")
    assert_same(through, direct)


async def test_503_arrives_unchanged(edge: Edge) -> None:
    through, direct = await edge.both_ways(event(), gateway="cut off")
    assert (through.status_code, through.json()["reason"]) == (503, "broker_unavailable")
    assert int(through.headers["retry-after"]) > 0
    assert_same(through, direct)


async def test_refusal_arrives_unchanged_and_is_on_record_with_the_address_of_the_client(edge: Edge) -> None:
    body = event()
    through, direct = await edge.both_ways(body, secret=FORGED)
    assert (through.status_code, through.json()["reason"]) == (401, "signature_mismatch")
    assert_same(through, direct)
    digest = hashlib.sha256(body).hexdigest()
    topic = edge.stack.topic("webhooks.rejected.v1")
    records = await topic.read_until(lambda found: digest in str([record.value for record in found]))
    addresses = [
        refusal["remote_address"]
        for record in records
        if (refusal := json.loads(record.value))["body_sha256"] == digest
    ]
    assert addresses[0] == "127.0.0.1", "as the proxy saw it, not as the client wrote it"


@pytest.mark.parametrize("path", ["/metrics", "/health/ready", "/schema", "/webhook", "/"])
async def test_nothing_else_is_reached_through_the_proxy(edge: Edge, path: str) -> None:
    answer = await edge.http.get(edge.urls["proxy of gateway"] + path)
    assert answer.status_code == 404
    assert answer.headers.get("content-type") != "application/problem+json", "the gateway was asked"
