"""The lock file of Kafka's jars: one line `group:artifact:version sha256 bytes` for each jar.

Maven resolves the versions, because a simpler resolution picks wrong versions. To upgrade Kafka, set its
version in `deploy/local/kafka-pom.xml` and run in `deploy/local`:

    mvn -f kafka-pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -Dmdep.useRepositoryLayout=true -DoutputDirectory=DIRECTORY
    python -m plumbline.kafka_lock DIRECTORY > src/plumbline/kafka.lock
"""

import hashlib
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from plumbline.failure import StackError

_LINE = re.compile(
    r"(?P<group>[\w.-]+):(?P<artifact>[\w.-]+):(?P<version>[\w.-]+)"
    r" (?P<sha256>[0-9a-f]{64}) (?P<size>[1-9][0-9]*)"
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One jar, identified by its content: `sha256` in hexadecimal, `size` in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Name in the cache; unique, because the class path has one version of each artifact."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> str:
        """Path of the jar relative to the address of a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"

    def is_content(self, content: bytes) -> bool:
        """Return whether size and digest of `content` match the lock."""
        return len(content) == self.size and hashlib.sha256(content).hexdigest() == self.sha256


def parse(text: str) -> tuple[Artifact, ...]:
    """Parse a lock file; raise `StackError` with the line number for a malformed line."""
    return tuple(_parse_line(number, line) for number, line in enumerate(text.splitlines(), start=1))


def locked_artifacts() -> tuple[Artifact, ...]:
    """Return the jars of the Kafka that this version of Plumbline runs."""
    return parse(resources.files("plumbline").joinpath("kafka.lock").read_text(encoding="utf-8"))


def lock(repository: Path) -> str:
    """Return the lock file, sorted, of all jars in a directory with Maven repository layout."""
    jars = repository.rglob("*.jar")
    return "".join(sorted(_line(jar.relative_to(repository), jar.read_bytes()) for jar in jars))


def _parse_line(number: int, line: str) -> Artifact:
    match = _LINE.fullmatch(line)
    if match is None:
        raise StackError(
            f"kafka.lock line {number}: expected 'group:artifact:version sha256 bytes'; reinstall plumbline"
        )
    return Artifact(match["group"], match["artifact"], match["version"], match["sha256"], int(match["size"]))


def _line(path: Path, content: bytes) -> str:
    *group, artifact, version, _ = path.parts
    coordinates = f"{'.'.join(group)}:{artifact}:{version}"
    return f"{coordinates} {hashlib.sha256(content).hexdigest()} {len(content)}\n"


if __name__ == "__main__":
    sys.stdout.write(lock(Path(sys.argv[1])))
