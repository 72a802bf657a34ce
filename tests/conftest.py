"""Fixtures and hooks of the whole suite; tests/harness/README.md tells how to use them."""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
import pytest
from hypothesis import HealthCheck, settings
from xdist.workermanage import NodeManager

from harness import Deliver, Infra, Stack, eventually, start_services
from harness.choice import Choice, ChoiceError, choose
from harness.logs import LOGS
from harness.sessions import sharing
from harness.stack import http_client
from plumbline.services import SERVICES

_ORDER = ("unit", "contract", "integration", "faults", "e2e")
_READY_SECONDS_MAX = 60.0
_WORKER_EXIT_SECONDS_MAX = 60
_TESTS = Path(__file__).parent

# A machine may be slow, and busy with other things: how long an example takes says nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# jsonschema imports it, and it builds 38 parsers for formats that no schema has: 3 s of CPU a worker.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# Parallel workers have a width of 80 characters, which commands would take for that of a terminal.
os.environ.pop("COLUMNS", None)

_choice = pytest.StashKey[Choice]()


def pytest_sessionstart() -> None:
    """Let a suite that is asked to end take its servers with it, as after Ctrl-C."""
    signal.signal(signal.SIGTERM, _end)
    NodeManager.EXIT_TIMEOUT = _WORKER_EXIT_SECONDS_MAX  # else a worker is killed while its servers stop


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort cheap tests first; the shuffle within each kind is kept.

    Parallel workers take the expensive ones first, so that no worker is left alone with them at the end.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (_is_long(item), _rank(item)), reverse=True)
    else:
        items.sort(key=_rank)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Choose where the servers come from, if any test needs them."""
    if not session.config.option.collectonly and any("infra" in _fixtures(item) for item in session.items):
        try:
            session.config.stash[_choice] = choose(os.environ)
        except ChoiceError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_report_header() -> str:
    """Show what the environment asks for; the choice follows when a test needs servers."""
    asked = os.environ.get("INFRA")
    return f"infra: INFRA={asked}" if asked else "infra: INFRA is unset, chosen when a test needs servers"


@pytest.hookimpl(trylast=True)
def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Where the servers come from, and why."""
    return str(config.stash.get(_choice, "infra: none needed"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Only what the services write from here on belongs to this test."""
    LOGS.start_test()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing test shows what the services wrote while it ran."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {name}", text) for name, text in LOGS.written().items()]
    return report


@pytest.fixture(scope="session")
async def infra(request: pytest.FixtureRequest) -> AsyncGenerator[Infra]:
    async with request.config.stash[_choice].start() as servers, sharing(servers.admin_dsn()):
        yield servers


@pytest.fixture(scope="session")
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with http_client() as client:
        yield client


# Four services that nobody calls take a sixth of a core: they end with the module.
@pytest.fixture(scope="module")
async def shared_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, *(service.name for service in SERVICES)) as services:
        yield services


@pytest.fixture
async def stack(shared_stack: Stack) -> Stack:
    await eventually(shared_stack.ready, seconds=_READY_SECONDS_MAX)
    return shared_stack


@pytest.fixture
def deliver(stack: Stack) -> Deliver:
    return stack.deliver


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    pytest.exit("SIGTERM", returncode=128 + signal.SIGTERM)


def _is_long(item: pytest.Item) -> bool:
    """Return whether the test is marked as slow, or has a time limit of its own."""
    return any(item.get_closest_marker(name) for name in ("slow", "timeout"))


def _rank(item: pytest.Item) -> int:
    kind = item.path.relative_to(_TESTS).parts[0]
    return _ORDER.index(kind) if kind in _ORDER else -1


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])
