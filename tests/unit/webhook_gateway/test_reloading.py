"""Files that change at an unlucky moment, or into nonsense: what is in force, and what is told (GW-6)."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from chassis.observability.metrics import Metrics
from chassis.process.environment import load_settings
from harness import eventually
from webhook_gateway.domain.reload import FileWatch
from webhook_gateway.domain.source import Source
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.jobs import reloading
from webhook_gateway.jobs.reloading import Configuration, Reloader
from webhook_gateway.metrics import register_metrics
from webhook_gateway.settings import OfflineSettings, configured_sources
from webhook_gateway.settings.files import read_fingerprint

OLD = b"the old secret of thirty-two bytes"
NEW = b"the new secret of thirty-two bytes"
ACME = '[[sources.acme.accept]]\nscheme = "github"\nsecret_variable = "ACME_SECRET"\n'
STEPS = ["first reading", "fingerprint", "second reading"]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("STRIPE_WEBHOOK_SECRET", "ACME_SECRET", "OPENPHONE_WEBHOOK_SECRET", "QUO_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    (tmp_path / "secret").write_bytes(OLD)
    (tmp_path / "sources.toml").write_text(ACME)
    monkeypatch.setenv("ACME_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("WEBHOOK_SOURCES_FILE", str(tmp_path / "sources.toml"))
    return tmp_path


def rotated_behind(step: str, folder: Path) -> Configuration:
    """Configuration whose secret is rotated right behind that step of start, once."""
    sources_file = str(folder / "sources.toml")
    load, fingerprint = partial(configured_sources, load_settings(OfflineSettings)), read_fingerprint
    steps = iter([*STEPS, *1000 * [""]])

    def passed() -> None:
        if next(steps) == step:
            (folder / "secret").write_bytes(NEW)

    def load_and_pass() -> Mapping[str, Source]:
        loaded = load()
        passed()
        return loaded

    def fingerprint_and_pass(sources: Collection[Source]) -> bytes:
        taken = fingerprint(sources_file, sources)
        passed()
        return taken

    return Configuration(load_and_pass, fingerprint_and_pass)


def secret(sources: Mapping[str, Source]) -> bytes:
    return sources["acme"].accepted[0].secrets[0].key


def is_reloaded(configuration: Configuration, loaded: Mapping[str, Source], fingerprint: bytes) -> bool:
    """Return whether two polls of unchanged files find something to load."""
    watched = FileWatch(fingerprint, fingerprint)
    for _ in range(2):
        watched, is_due = watched.poll(configuration.fingerprint(loaded.values()), 0.0)
    return is_due


@pytest.mark.parametrize("step", STEPS)
def test_rotation_while_the_gateway_starts_is_loaded_then_or_seen_later(folder: Path, step: str) -> None:
    configuration = rotated_behind(step, folder)
    loaded, fingerprint = configuration.load_first()
    assert (folder / "secret").read_bytes() == NEW
    assert secret(loaded) == NEW or is_reloaded(configuration, loaded, fingerprint)


@pytest.mark.parametrize("step", ["never", "first reading"])
def test_start_whose_files_do_not_change_meanwhile_is_followed_by_no_reload(folder: Path, step: str) -> None:
    configuration = rotated_behind(step, folder)
    loaded, fingerprint = configuration.load_first()
    assert secret(loaded) == (folder / "secret").read_bytes()
    assert not is_reloaded(configuration, loaded, fingerprint)


@asynccontextmanager
async def started(configuration: Configuration, metrics: Metrics) -> AsyncGenerator[tuple[Sources, Reloader]]:
    async def check_topics(names: Collection[str]) -> None:
        del names

    loaded, fingerprint = configuration.load_first()
    sources = Sources(loaded)
    gateway_metrics = register_metrics(metrics, validation_enabled=True)
    part = Reloader(sources, configuration, fingerprint, check_topics, gateway_metrics)
    await part.start()
    try:
        yield sources, part
    finally:
        await part.stop()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


async def test_rotation_behind_the_last_reading_is_taken(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(reloading, "POLL_SECONDS", 0.01)
    async with started(rotated_behind("second reading", folder), Metrics("gateway")) as (sources, _):
        await eventually(lambda: secret({each.name: each for each in sources.all()}) == NEW)


@pytest.mark.parametrize("text", ["sources = " + "[" * 5000, "sources = " + "9" * 5000, '"a\\nb" = 1'])
async def test_broken_sources_file_leaves_the_gateway_ready_and_is_told(
    monkeypatch: pytest.MonkeyPatch, folder: Path, text: str
) -> None:
    monkeypatch.setattr(reloading, "POLL_SECONDS", 0.01)
    metrics = Metrics("gateway")
    async with started(rotated_behind("never", folder), metrics) as (sources, part):
        (folder / "sources.toml").write_text(text)
        await eventually(lambda: b"gateway_reload_ok 0.0" in metrics.expose())
        check = await part.check()
        assert check.ok
        assert check.detail.startswith("kept what was loaded before: WEBHOOK_SOURCES_FILE: ")
        assert len(check.detail.splitlines()) == 1
        assert "acme" in sources.names()


async def test_counts_of_every_source_begin_at_zero_and_those_of_a_new_one_too(folder: Path) -> None:
    """Prometheus sees no increase in a count whose first value is the burst that an alert is for."""
    metrics = Metrics("webhook-gateway")

    def refused(source: str) -> float | None:
        labels = {"source": source, "outcome": "signature_mismatch"}
        return metrics.registry.get_sample_value("webhook_gateway_requests_total", labels)

    async with started(rotated_behind("never", folder), metrics):
        assert (refused("acme"), refused("stripe"), refused("later")) == (0, 0, None)
        (folder / "sources.toml").write_text(ACME + ACME.replace("acme", "later"))
        signal.raise_signal(signal.SIGHUP)
        await eventually(lambda: refused("later") == 0, what="the new source is loaded")
