"""Reloads secrets and sources while the process runs: rotation without a restart (GW-6).

The watched files are those that configuration names: each `<variable>_FILE` of a secret and
WEBHOOK_SOURCES_FILE. Files with a mistake are rejected as a whole and the previous configuration stays
active, so that a typing error never shuts a source that worked. Deliveries in flight end with the secrets
they began with.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from chassis import clock
from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.topics_check import TopicsMissingError
from chassis.observability.logs import get_logger
from chassis.process.component import LoopComponent, pause
from chassis.process.environment import SettingsError
from chassis.process.health import Check
from webhook_gateway.domain.reload import FileWatch
from webhook_gateway.domain.source import Source
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.metrics import GatewayMetrics

POLL_SECONDS = 1.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Configuration:
    """How sources are loaded.

    Attributes:
        load: reads the configuration; raises SettingsError.
        fingerprint: digest of the files that these sources come from.
    """

    load: Callable[[], Mapping[str, Source]]
    fingerprint: Callable[[Collection[Source]], bytes]

    def load_first(self) -> tuple[Mapping[str, Source], bytes]:
        """Return the sources to start with, and a fingerprint of their files that is not newer than they are.

        Raises:
            SettingsError: configuration cannot be used.
        """
        # The names of the files are known only after a load. So the files are loaded again after the
        # fingerprint: a change before it is loaded, a change after it is seen by the first poll.
        fingerprint = self.fingerprint(self.load().values())
        return self.load(), fingerprint


class Reloader(LoopComponent):
    """Component that polls the files every second, and reloads at once on SIGHUP.

    Args:
        sources: replaced by a successful reload.
        configuration: loads the sources.
        fingerprint: of the files, taken before these sources were read from them.
        check_topics: raises if deliveries of sources of these names could not be stored.
        metrics: the gateway's metrics.
    """

    name = "reloading"

    def __init__(
        self,
        sources: Sources,
        configuration: Configuration,
        fingerprint: bytes,
        check_topics: Callable[[Collection[str]], Awaitable[None]],
        metrics: GatewayMetrics,
    ) -> None:
        self._sources = sources
        self._configuration = configuration
        self._check_topics = check_topics
        self._metrics = metrics
        self._hangup = asyncio.Event()
        self._rejection = ""
        self._files = FileWatch(fingerprint, fingerprint)

    async def start(self) -> None:
        with suppress(ValueError, RuntimeError):  # signals reach the main thread only
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hangup.set)
        self._metrics.start_from_zero(self._sources.names())
        self._measure(ok=True)
        await self._loop.start()

    async def stop(self) -> None:
        self._loop.ask_to_stop()
        self._hangup.set()
        await self._loop.stop()

    async def check(self) -> Check:
        """Healthy while polling works.

        If the files on disk were rejected, the detail says why; the previous configuration stays active.
        """
        check = await self._loop.check()
        kept = f"kept what was loaded before: {self._rejection}" if self._rejection else ""
        return Check(ok=True, detail=kept) if check.ok else check

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await pause(self._hangup, POLL_SECONDS)
            is_requested = self._hangup.is_set()
            self._hangup.clear()
            fingerprint = await asyncio.to_thread(self._configuration.fingerprint, self._sources.all())
            self._files, is_due = self._files.poll(fingerprint, time.monotonic())
            if (is_due or is_requested) and not stopping.is_set():
                await self._reload()
            self._loop.recovered()

    async def _reload(self) -> None:
        try:
            loaded = await asyncio.to_thread(self._configuration.load)
            if loaded.keys() != self._sources.names():
                await self._check_topics(loaded.keys())
        except (SettingsError, TopicsMissingError, BrokerUnavailableError) as error:
            self._reject(str(error))
            return
        self._sources.replace(loaded)
        self._metrics.start_from_zero(loaded)
        self._files = self._files.loaded_now()
        self._rejection = ""
        self._measure(ok=True)
        _log.info("configuration reloaded", secrets=self._live_secrets())

    def _reject(self, rejection: str) -> None:
        if rejection != self._rejection:
            _log.error("configuration not reloaded, the previous one stays active", error=rejection)
        self._rejection = rejection
        self._files = self._files.refused_now(time.monotonic())
        self._measure(ok=False)

    def _measure(self, *, ok: bool) -> None:
        self._metrics.reload_ok.set(ok)
        if ok:
            self._metrics.reloaded_at.set_to_current_time()

    def _live_secrets(self) -> dict[str, int]:
        now = clock.now()
        return {
            source.name: sum(secret.is_live(now) for each in source.accepted for secret in each.secrets)
            for source in self._sources.all()
        }
