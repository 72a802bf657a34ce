"""Takes changed secrets and sources into a running process: rotation without a restart (GW-6).

Watched are the files that configuration names: each `<variable>_FILE` of a secret and WEBHOOK_SOURCES_FILE.
Whatever cannot be used is refused as a whole, and what was in force before stays: a typing error must not
close the door that was open. Deliveries under way end with the secrets they began with.
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
from chassis.process.component import BackgroundLoop, pause
from chassis.process.environment import SettingsError
from chassis.process.health import Check
from webhook_gateway.domain.reload import Watched
from webhook_gateway.domain.source import Source
from webhook_gateway.handlers.observations import Observations
from webhook_gateway.handlers.sources import Sources

LOOK_SECONDS = 1.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where sources come from.

    Attributes:
        load: reads configuration anew; raises SettingsError.
        fingerprint: of the files that these sources come from.
    """

    load: Callable[[], Mapping[str, Source]]
    fingerprint: Callable[[Collection[Source]], bytes]

    def load_first(self) -> tuple[Mapping[str, Source], bytes]:
        """The sources to start with, and a fingerprint of their files that is not newer than they are.

        Which files there are is known only once they were read, so they are read again behind the
        fingerprint: what changed before it is in there, what changes after it is a change to the first look.

        Raises:
            SettingsError: configuration cannot be used.
        """
        fingerprint = self.fingerprint(self.load().values())
        return self.load(), fingerprint


class Reloading:
    """A part that looks at the files every second, and at once when SIGHUP comes.

    Args:
        sources: where loaded ones go.
        configuration: where they come from.
        fingerprint: of its files, taken before these sources were read from them.
        admit: makes sure that deliveries of sources of these names can be stored; raises if not.
        observations: the gateway's metrics.
    """

    name = "reloading"

    def __init__(
        self,
        sources: Sources,
        configuration: Configuration,
        fingerprint: bytes,
        admit: Callable[[Collection[str]], Awaitable[None]],
        observations: Observations,
    ) -> None:
        self._sources = sources
        self._configuration = configuration
        self._admit = admit
        self._observations = observations
        self._hangup = asyncio.Event()
        self._refusal = ""
        self._loop = BackgroundLoop(self.name, self._run)
        self._watched = Watched(fingerprint, fingerprint)

    async def start(self) -> None:
        """Begin to look."""
        with suppress(ValueError, RuntimeError):  # outside a main thread nobody gets signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hangup.set)
        self._observations.expect(self._sources.names())
        self._observed(ok=True)
        await self._loop.start()

    async def stop(self) -> None:
        """Look no more."""
        self._loop.ask_to_stop()
        self._hangup.set()
        await self._loop.stop()

    async def check(self) -> Check:
        """Good while it looks: what was in force stays so. Tells why what the files say is not."""
        check = await self._loop.check()
        kept = f"kept what was loaded before: {self._refusal}" if self._refusal else ""
        return Check(ok=True, detail=kept) if check.ok else check

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await pause(self._hangup, LOOK_SECONDS)
            asked = self._hangup.is_set()
            self._hangup.clear()
            seen = await asyncio.to_thread(self._configuration.fingerprint, self._sources.all())
            self._watched, is_due = self._watched.look(seen, time.monotonic())
            if (is_due or asked) and not stopping.is_set():
                await self._reload()
            self._loop.recovered()

    async def _reload(self) -> None:
        try:
            loaded = await asyncio.to_thread(self._configuration.load)
            if loaded.keys() != self._sources.names():
                await self._admit(loaded.keys())
        except (SettingsError, TopicsMissingError, BrokerUnavailableError) as error:
            self._refuse(str(error))
            return
        self._sources.replace(loaded)
        self._observations.expect(loaded)
        self._watched = self._watched.loaded_now()
        self._refusal = ""
        self._observed(ok=True)
        _log.info("configuration reloaded", secrets=self._counted())

    def _refuse(self, refusal: str) -> None:
        if refusal != self._refusal:
            _log.error("configuration not reloaded, the one before stays in force", error=refusal)
        self._refusal = refusal
        self._watched = self._watched.refused_now(time.monotonic())
        self._observed(ok=False)

    def _observed(self, *, ok: bool) -> None:
        self._observations.reload_ok.set(ok)
        if ok:
            self._observations.reloaded_at.set_to_current_time()

    def _counted(self) -> dict[str, int]:
        now = clock.now()
        return {
            source.name: sum(secret.is_live(now) for each in source.accepted for secret in each.secrets)
            for source in self._sources.all()
        }
