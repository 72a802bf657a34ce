"""Kafka of `plumbline topics apply`: KAFKA_BOOTSTRAP, else the running stack."""

from pathlib import Path

import pytest

from plumbline import databases, stack_file, state_directory
from plumbline.doctor.target import kafka_of
from plumbline.failure import StackError

STACK = {
    "kafka_bootstrap": "127.0.0.1:19092",
    "topic_prefix": "",
    "postgres": {"admin_dsn": "", **{f"{role}_dsn": "" for role in databases.LOGIN_ROLES}},
    "urls": {},
}


def test_kafka_is_the_named_one_else_that_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = state_directory.from_environment({"PLUMBLINE_STATE": str(tmp_path)})
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    with pytest.raises(StackError, match="KAFKA_BOOTSTRAP is not set"):
        kafka_of(directory, {})
    stack_file.write(directory.stack_file, STACK)
    assert kafka_of(directory, {}).bootstrap == "127.0.0.1:19092"
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:29092")
    assert kafka_of(directory, {"KAFKA_BOOTSTRAP": "127.0.0.1:29092"}).bootstrap == "127.0.0.1:29092"
