import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import kafka_lock
from plumbline.failure import StackError
from plumbline.kafka_lock import Artifact

names = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)
groups = st.lists(names, min_size=1, max_size=4).map(".".join)
digests = st.binary(max_size=8).map(lambda content: hashlib.sha256(content).hexdigest())
artifacts = st.builds(
    Artifact, groups, names, st.just("1.2.3"), digests, st.integers(min_value=1, max_value=10**9)
)


@given(st.lists(artifacts, max_size=5))
def test_written_lines_are_read_back(locked: list[Artifact]) -> None:
    text = "".join(f"{a.group}:{a.artifact}:{a.version} {a.sha256} {a.size}\n" for a in locked)

    assert kafka_lock.parse(text) == tuple(locked)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "group:artifact 00 1",
        f"group:artifact:1 {'0' * 63} 1",
        f"group:artifact:1 {'G' * 64} 1",
        f"group:artifact:1 {'0' * 64} 0",
        f"group:artifact:1 {'0' * 64} -1",
        f"group:../artifact/..:1 {'0' * 64} 1",
        f"group:artifact:1 {'0' * 64} 1 more",
    ],
)
def test_malformed_line_is_named_by_its_number(line: str) -> None:
    good = f"group:artifact:1 {'0' * 64} 1"

    with pytest.raises(StackError, match=r"kafka\.lock line 2"):
        kafka_lock.parse(f"{good}\n{line}\n{good}")


def test_committed_lock_names_one_version_of_each_jar() -> None:
    locked = kafka_lock.locked_artifacts()

    assert len(locked) == 46
    assert len({a.file_name for a in locked}) == 46
    assert {a.version for a in locked if a.group == "org.apache.kafka"} == {"4.2.1"}


def test_lock_of_a_repository_names_what_lies_there(tmp_path: Path) -> None:
    jar = tmp_path / "org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"content")

    (artifact,) = kafka_lock.parse(kafka_lock.lock(tmp_path))

    assert artifact.repository_path == "org/example/thing/1.0/thing-1.0.jar"
    assert artifact.is_content(b"content")
    assert not artifact.is_content(b"Content")
