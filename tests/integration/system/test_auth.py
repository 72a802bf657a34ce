"""Tokens over real HTTP: the README's commands, the recorded actor, idempotency keys per actor (ALL-4)."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import httpx
import pytest

from chassis import clock
from chassis.auth.identity import Role
from chassis.auth.issuing import issue
from chassis.auth.settings import AuthSettings
from harness import Infra, Stack, start_services
from harness.processes import run_program
from integration.booking.booking_calls import BookingApi, request

ROOT = Path(__file__).parents[3]
SHOWN = re.findall(
    r"^\$ (.*)$", (ROOT / "README.md").read_text().split("## Tokens and roles")[1], re.MULTILINE
)
EXPORTS = [line for line in SHOWN if line.startswith("export ")]
MAKE_TOKEN = next(line for line in SHOWN if line.startswith("TOKEN=")).replace(".venv/bin/", "")
CURL = next(line for line in SHOWN if line.startswith("curl "))


def shell(*lines: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
async def variables() -> Mapping[str, str]:
    """Return the variables that the README's export lines set."""
    lines = (await asyncio.to_thread(shell, *EXPORTS, "env")).splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("AUTH_"))


@pytest.fixture(scope="module")
async def guarded(infra: Infra, variables: Mapping[str, str]) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", env=variables) as stack:
        yield stack


@pytest.fixture
def api(guarded: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(guarded, http)


def bearer(variables: Mapping[str, str], sub: str, *roles: Role) -> dict[str, str]:
    settings = AuthSettings.model_validate({name.lower(): value for name, value in variables.items()})
    made = issue(settings, subject=sub, roles=roles, now=clock.now(), minutes=60)
    return {"Authorization": f"Bearer {made}"}


async def test_readme_lines_make_a_token_that_opens_the_api(
    guarded: Stack, variables: Mapping[str, str], http: httpx.AsyncClient
) -> None:
    exports = [f"export {name}={value}" for name, value in variables.items()]
    token = (await asyncio.to_thread(shell, *exports, MAKE_TOKEN, 'echo "$TOKEN"')).strip()
    stated = re.search(r'-H "(\S+): (.*?)" localhost:8081(\S+)', CURL)
    assert stated
    headers = {stated[1]: stated[2].replace("$TOKEN", token)}
    answer = await http.get(guarded.url("booking") + stated[3], headers=headers)
    assert answer.status_code == 200, answer.text
    assert (await http.get(guarded.url("booking") + stated[3])).status_code == 401


async def test_bearer_is_recorded_as_who_did_it(api: BookingApi, variables: Mapping[str, str]) -> None:
    ana = bearer(variables, "ana", Role.OPERATOR)
    made = await api.call("POST", body=request(), headers=ana)
    assert made.status_code == 201, made.text
    path = f"/{made.json()['id']}"
    await api.call(
        "PATCH",
        path,
        {"status": "confirmed", "reason": "called"},
        headers=bearer(variables, "ben", Role.OPERATOR),
    )
    history = await api.call("GET", f"{path}/status-history", headers=bearer(variables, "cleo", Role.VIEWER))
    assert [entry["changed_by"] for entry in history.json()["history"]] == ["ana", "ben"]


async def test_refusals_are_logged_and_counted_without_the_token(
    api: BookingApi, guarded: Stack, variables: Mapping[str, str], http: httpx.AsyncClient
) -> None:
    viewer = bearer(variables, "vera", Role.VIEWER)
    assert (await api.call("POST", body=request(), headers=viewer)).status_code == 403
    (booking,) = guarded.services("booking")
    log = booking.log()
    (line,) = [line for line in log.splitlines() if "access refused" in line and "vera" in line]
    assert '"reason": "role_missing"' in line
    assert viewer["Authorization"].split(".")[2] not in log
    metrics = (await http.get(f"{guarded.url('booking')}/metrics")).text
    assert 'booking_access_refusals_total{reason="role_missing"}' in metrics


async def test_idempotency_key_of_another_is_no_key_of_mine(
    api: BookingApi, variables: Mapping[str, str]
) -> None:
    key = {"Idempotency-Key": clock.new_id()}
    ana, ben = (bearer(variables, sub, Role.OPERATOR) | key for sub in ("ana", "ben"))
    first = await api.call("POST", body=request(), headers=ana)
    other = await api.call("POST", body=request(), headers=ben)
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["id"] != other.json()["id"]
    again = await api.call("POST", body=request(), headers=ana)
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sub", "stripe", "--role", "viewer"], "the name of a service"),
        (["--sub", "", "--role", "viewer"], "sub"),
    ],
)
async def test_token_that_no_service_would_accept_is_not_made(
    variables: Mapping[str, str], arguments: list[str], said: str
) -> None:
    code, error = await make_token(variables, arguments)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


async def test_token_without_a_shared_key_says_what_to_set() -> None:
    code, error = await make_token({}, ["--sub", "ana", "--role", "viewer"])
    assert (code, "set AUTH_MODE=jwt and AUTH_JWT_KEY" in error) == (2, True)


async def make_token(variables: Mapping[str, str], arguments: list[str]) -> tuple[int, str]:
    environment = {"PATH": os.environ["PATH"], **variables}
    done = await run_program("plumbline", ["token", *arguments], environment)
    return done.exit_code, done.stderr
