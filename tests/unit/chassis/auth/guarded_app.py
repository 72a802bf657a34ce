"""Tokens of a test issuer, a guarded application, and a key server on this machine."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from litestar import Litestar, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from chassis import clock
from chassis.auth.access import OPERATORS, READERS, Access
from chassis.auth.settings import AuthSettings
from chassis.auth.setup import Auth, build_auth
from chassis.http.app import build_app
from chassis.observability.metrics import Metrics
from chassis.process.health import Health

ISSUER, AUDIENCE = "https://login.example.com", "plumbline"
SECRET = "0123456789abcdef" * 4
ACCESS: Access = {"GET /things": READERS, "POST /things": OPERATORS, "GET /things/{thing_id}": READERS}

FIRST_KEY, NEXT_KEY = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("first", "next"))


def key_set(*keys: RSAKey) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def token(
    *roles: str, sub: str = "ana", key: RSAKey | None = None, kid: str = "", seconds: int = 600, **more: Any
) -> str:
    """Return a token signed with the shared key, or with `key` under its own `kid` or another one."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "exp": int(clock.now().timestamp()) + seconds,
        "roles": list(roles),
        **more,
    }
    if key is None:
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
    return jwt.encode({"alg": "RS256", "kid": kid or key.kid}, claims, key, algorithms=["RS256"])


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def jwt_settings(**members: Any) -> AuthSettings:
    if "auth_jwks_url" not in members:
        members = {"auth_jwt_key": SECRET, **members}
    return AuthSettings.model_validate(
        {"auth_mode": "jwt", "auth_jwt_issuer": ISSUER, "auth_jwt_audience": AUDIENCE, **members}
    )


@get("/things")
async def things(actor: NamedDependency[str]) -> dict[str, str]:
    return {"actor": actor}


@post("/things")
async def make_thing(actor: NamedDependency[str]) -> dict[str, str]:
    return {"actor": actor}


@get("/things/{thing_id:int}")
async def thing(thing_id: FromPath[int], actor: NamedDependency[str]) -> dict[str, Any]:
    return {"id": thing_id, "actor": actor}


@get("/forgotten")
async def forgotten() -> None:
    raise AssertionError("no role opens this route")


class GuardedApp:
    """A guarded application, its metrics and its readiness."""

    def __init__(self, settings: AuthSettings) -> None:
        self.metrics, self.health = Metrics("sample"), Health()
        self.auth: Auth = build_auth(settings, ACCESS, health=self.health, metrics=self.metrics)
        self.app: Litestar = build_app(
            title="sample",
            handlers=[things, make_thing, thing, forgotten],
            health=self.health,
            metrics=self.metrics,
            guard=self.auth.guard,
        )

    async def call(
        self, method: str, path: str, headers: dict[str, str] | Sequence[tuple[str, str]] = ()
    ) -> httpx.Response:
        async with calling(self.app) as client:
            return await client.request(method, path, headers=headers)

    def refused(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("sample_access_refusals_total", {"reason": reason})


@asynccontextmanager
async def calling(app: Litestar) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # pyright: ignore[reportArgumentType] - ASGI
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


class KeyServer:
    """The key endpoint of an issuer on a loopback port, with answers set by the test.

    Attributes:
        status, headers, body: of the next answers.
        asked: the paths of all requests.
        open: if cleared, answers wait.
    """

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict[str, str](), key_set(FIRST_KEY)
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ")[1].decode())
        await self.open.wait()
        fields = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + self.body)
        writer.close()


@asynccontextmanager
async def serving_keys() -> AsyncGenerator[KeyServer]:
    keys = KeyServer()
    server = await asyncio.start_server(keys.answer, "127.0.0.1", 0)
    keys.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    try:
        yield keys
    finally:
        keys.open.set()
        server.close()
