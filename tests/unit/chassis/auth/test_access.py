"""The access tables list all routes of all services and no others; other routes are forbidden (ALL-4)."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from chassis.auth.access import ANYBODY, READERS, Access, is_public
from chassis.auth.identity import Role
from contract_tools.check import steps
from unit.chassis.auth.guarded_app import AUDIENCE, ISSUER, SECRET, bearer, calling, token
from unit.chassis.consuming.test_delivery_options import ENVIRONMENT

ROOT = Path(__file__).parents[4]
GUARDED = ("audit", "booking", "reconciler")
JWT = {
    "auth_mode": "jwt",
    "auth_jwt_issuer": ISSUER,
    "auth_jwt_audience": AUDIENCE,
    "auth_jwt_key": SECRET,
}


def application(service: str, **settings: str) -> Litestar:
    build = importlib.import_module(f"{service}.main").build
    settings_class = get_type_hints(build)["settings"]
    return build(settings_class.model_validate({**ENVIRONMENT, **settings}))._server.config.app


def routes(app: Litestar) -> Iterator[str]:
    """Yield the routes that are not public, as the access tables name them."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not is_public(route.path_format):
            yield from (f"{method} {route.path_format}" for method in route.methods if method != "OPTIONS")


def table(service: str) -> Access:
    return importlib.import_module(f"{service}.api.roles").ACCESS


@pytest.mark.parametrize("service", GUARDED)
def test_every_route_states_its_roles_and_every_statement_has_its_route(service: str) -> None:
    assert set(routes(application(service))) == set(table(service))
    assert all(roles is ANYBODY or roles for roles in table(service).values())


@pytest.mark.parametrize("service", GUARDED)
async def test_every_route_is_shut_without_a_token_and_without_its_role(service: str) -> None:
    async with calling(application(service, **JWT)) as client:
        for route, opened_by in guarded(service).items():
            method, path = route.split(" ")
            path = re.sub(r"\{\w+\}", ID, path.replace("{entry_id}", "7"))
            assert (await client.request(method, path)).status_code == 401, route
            others = [role.value for role in Role if role not in opened_by]
            answer = await client.request(method, path, headers=bearer(token(*others)))
            assert (answer.status_code, answer.json()["reason"]) == (403, "role_missing"), route


def guarded(service: str) -> dict[str, frozenset[Role]]:
    return {route: roles for route, roles in table(service).items() if roles is not ANYBODY}


def test_hashes_and_signatures_of_the_log_are_for_anybody_and_nothing_else() -> None:
    public = {route for service in GUARDED for route, roles in table(service).items() if roles is ANYBODY}
    assert public == {"GET /log/checkpoint", "GET /log/keys", "GET /log/tile/{path}"}


async def test_route_for_anybody_takes_no_token_and_looks_at_none() -> None:
    async with calling(application("audit", **JWT)) as client:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            assert (await client.get("/log/keys", headers=headers)).status_code == 200


ID = "0198c0de-0000-7000-8000-000000000001"


def test_reading_is_for_every_role_and_viewers_write_their_own_views_alone() -> None:
    for service in GUARDED:
        for route, opened_by in guarded(service).items():
            reads = route.startswith("GET ")
            holds_personal_data = "dead_letter_id" in route or route.endswith("/payload")
            assert opened_by == READERS if reads and not holds_personal_data else True, route
            assert (Role.VIEWER in opened_by) <= (reads or "exception-views" in route), route


async def test_gateway_asks_for_no_token() -> None:
    app = application("webhook_gateway")
    assert all("/webhooks/" in route for route in routes(app))
    assert not any(route.guards for handler in app.routes for route in getattr(handler, "route_handlers", ()))


def test_table_of_a_service_is_the_one_its_guard_has() -> None:
    for service in GUARDED:
        app: Any = application(service)
        assert app.guards[0].access is table(service)  # first: nobody learns about a route that is shut


def test_make_check_runs_these_tests() -> None:
    here = str(Path(__file__).relative_to(ROOT))
    assert any(here in step.command for step in steps(ROOT))
