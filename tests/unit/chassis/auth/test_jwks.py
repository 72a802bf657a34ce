"""The issuer's keys: one fetch for all requests, renewal, use of old keys, one address only (ALL-4)."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from chassis.auth import jwks
from chassis.auth.jwks import (
    FETCH_WINDOW_SECONDS,
    FETCHES_MAX,
    STALE_SECONDS_MAX,
    JwksKeys,
    KeysUnavailableError,
)
from harness import eventually
from unit.chassis.auth.guarded_app import (
    FIRST_KEY,
    NEXT_KEY,
    GuardedApp,
    KeyServer,
    bearer,
    jwt_settings,
    key_set,
    serving_keys,
    token,
)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[KeyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with serving_keys() as keys:
        yield keys


class Watch:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def reads(app: GuardedApp, text: str) -> httpx.Response:
    return await app.call("GET", "/things", bearer(text))


async def test_many_requests_at_once_share_one_fetch(server: KeyServer) -> None:
    app = GuardedApp(jwt_settings(auth_jwks_url=server.url))
    server.open.clear()
    asked = asyncio.gather(*(reads(app, token("viewer", key=FIRST_KEY)) for _ in range(20)))
    await eventually(lambda: server.asked, seconds=10)
    server.open.set()
    assert {answer.status_code for answer in await asked} == {200}
    assert server.asked == ["/keys"]


async def test_new_key_of_the_issuer_opens_at_once_and_refuses_nobody(server: KeyServer) -> None:
    app = GuardedApp(jwt_settings(auth_jwks_url=server.url))
    assert (await reads(app, token("viewer", key=FIRST_KEY))).status_code == 200
    server.body = key_set(FIRST_KEY, NEXT_KEY)
    answers = [await reads(app, token("viewer", key=key)) for key in (NEXT_KEY, FIRST_KEY)]
    assert [answer.status_code for answer in answers] == [200, 200]
    server.body = key_set(NEXT_KEY)
    assert len(server.asked) == 2


async def test_key_that_the_issuer_has_not_is_401_after_a_look(server: KeyServer) -> None:
    app = GuardedApp(jwt_settings(auth_jwks_url=server.url))
    answer = await reads(app, token("viewer", key=NEXT_KEY))
    assert (answer.status_code, answer.json()["reason"]) == (401, "key_unknown")


async def test_flood_of_unknown_keys_is_not_a_flood_of_fetches(server: KeyServer) -> None:
    app = GuardedApp(jwt_settings(auth_jwks_url=server.url))
    flood = [token("viewer", key=NEXT_KEY, kid=f"kid-{n}") for n in range(30)]
    answers = [await reads(app, text) for text in flood]
    assert {answer.status_code for answer in answers} == {401, 503}
    assert all(a.headers["retry-after"] == "5" for a in answers if a.status_code == 503)
    assert len(server.asked) <= 2 * FETCHES_MAX  # a second window may begin on a slow machine
    assert (await reads(app, token("viewer", key=FIRST_KEY))).status_code == 200


async def test_fetches_are_counted_over_a_window(server: KeyServer) -> None:
    watch = Watch()
    keys = JwksKeys(server.url, monotonic=watch)
    assert [await keys.renew() for _ in range(5)] == [True] * FETCHES_MAX + [False] * (5 - FETCHES_MAX)
    watch.seconds += FETCH_WINDOW_SECONDS
    assert await keys.renew()
    assert len(server.asked) == FETCHES_MAX + 1


async def test_issuer_that_is_away_is_503_and_readiness_tells(server: KeyServer) -> None:
    server.status = 500
    app = GuardedApp(jwt_settings(auth_jwks_url=server.url))
    answer = await reads(app, token("viewer", key=FIRST_KEY))
    assert (answer.status_code, answer.json()["reason"]) == (503, "keys_unavailable")
    assert answer.headers["retry-after"] == "5"
    (component,) = app.auth.components
    check = await component.check()
    assert (check.ok, check.detail) == (
        False,
        "no keys of the issuer: UnusableKeyError: the answer's status is 500, not 200",
    )


async def test_keys_are_kept_while_the_issuer_is_away_but_not_for_ever(server: KeyServer) -> None:
    watch = Watch()
    keys = JwksKeys(server.url, monotonic=watch)
    ring = await keys.current()
    server.status = 503
    watch.seconds += STALE_SECONDS_MAX
    assert not await keys.renew()
    assert await keys.current() is ring
    check = await keys.check()
    assert check.ok
    assert "old keys stay in use" in check.detail
    watch.seconds += 1
    with pytest.raises(KeysUnavailableError):
        await keys.current()
    assert not (await keys.check()).ok


async def test_redirect_is_not_followed(server: KeyServer) -> None:
    server.status, server.headers = 302, {"Location": server.url.replace("/keys", "/elsewhere")}
    with pytest.raises(KeysUnavailableError):
        await JwksKeys(server.url).current()
    assert server.asked == ["/keys"]


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[" * 100_000, b'{"keys": []}', key_set(FIRST_KEY) + b" " * jwks.JWKS_BYTES_MAX],
    ids=["empty", "text", "deep", "none", "long"],
)
async def test_answer_that_is_no_key_set_is_no_keys(server: KeyServer, body: bytes) -> None:
    server.body = body
    with pytest.raises(KeysUnavailableError):
        await JwksKeys(server.url).current()


async def test_bad_answer_does_not_replace_the_keys(server: KeyServer) -> None:
    keys = JwksKeys(server.url)
    ring = await keys.current()
    server.body = b'{"keys": []}'
    assert not await keys.renew()
    assert await keys.current() is ring


async def test_issuer_that_does_not_answer_is_given_up(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS_MAX", 0.2)
    server.open.clear()
    with pytest.raises(KeysUnavailableError):
        await JwksKeys(server.url).current()


async def test_part_fetches_by_itself_and_stops(server: KeyServer) -> None:
    keys = JwksKeys(server.url)
    await keys.start()
    try:
        await eventually(lambda: _is_good(keys), seconds=20)
    finally:
        await keys.stop()
    assert server.asked == ["/keys"]


async def _is_good(keys: JwksKeys) -> bool:
    return (await keys.check()).ok


async def test_whatever_a_fetch_raises_is_keys_unavailable_and_readiness_tells() -> None:
    # The port number is too large: the client raises an exception group.
    keys = JwksKeys("http://127.0.0.1:99999/keys")
    with pytest.raises(KeysUnavailableError):
        await keys.current()
    check = await keys.check()
    assert not check.ok
    assert "ExceptionGroup" in check.detail
    assert "\n" not in check.detail
