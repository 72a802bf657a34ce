"""A cache of Kafka's classes is used for the Java, the jars and the options that it was made for."""

from pathlib import Path

import pytest

from plumbline import kafka_classes

OPTIONS = ("-Xmx384m",)


@pytest.fixture
def java(tmp_path: Path) -> Path:
    java = tmp_path / "java" / "bin" / "java"
    for file in (java, java.parents[1] / "lib" / "modules", java.parents[1] / "release"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name, encoding="utf-8")
    return java


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    jar = tmp_path / "kafka.jar"
    jar.write_bytes(b"classes")
    return jar


def test_cache_is_used_once_it_has_been_made(tmp_path: Path, java: Path, jar: Path) -> None:
    cache = kafka_classes.path(tmp_path, java, [jar], OPTIONS)
    assert kafka_classes.use(cache) == ()
    cache.touch()
    assert kafka_classes.use(cache) == (f"-XX:AOTCache={cache}",)


def test_other_java_jar_or_option_has_another_cache(tmp_path: Path, java: Path, jar: Path) -> None:
    cache = kafka_classes.path(tmp_path, java, [jar], OPTIONS)
    assert cache == kafka_classes.path(tmp_path, java, [jar], OPTIONS)
    caches = {cache, kafka_classes.path(tmp_path, java, [jar], ("-Xmx512m",))}
    for file in (jar, java.parents[1] / "lib" / "modules", java.parents[1] / "release"):
        file.write_bytes(file.read_bytes() + b"2")
        caches.add(kafka_classes.path(tmp_path, java, [jar], OPTIONS))
    assert len(caches) == 5
