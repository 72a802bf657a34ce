"""Topics of a deployment: the standard topics, and one for each source of its file."""

from pathlib import Path

import pytest

from contracts.topics import TOPICS, webhook_topic
from plumbline.deployment import topics
from plumbline.failure import StackError


def test_without_a_file_there_are_the_usual_topics() -> None:
    assert topics({}) == TOPICS
    assert topics({"WEBHOOK_SOURCES_FILE": ""}) == TOPICS


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_each_source_of_the_file_has_a_topic(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(mark + '[[sources.github.accept]]\nscheme = "github"\n[sources.acme]\n', encoding="utf-8")
    all_topics = topics({"WEBHOOK_SOURCES_FILE": str(path)})
    assert all_topics == (*TOPICS, webhook_topic("github"), webhook_topic("acme"))


@pytest.mark.parametrize("text", ["sources = 1", "sources = ['a']", "[sources"])
def test_file_that_lists_no_sources_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StackError, match="WEBHOOK_SOURCES_FILE") as refusal:
        topics({"WEBHOOK_SOURCES_FILE": str(path)})
    assert "\n" not in str(refusal.value)


def test_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="WEBHOOK_SOURCES_FILE: cannot read"):
        topics({"WEBHOOK_SOURCES_FILE": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "a = " + "9" * 5_000, "a = \xff"])
def test_file_that_no_parser_survives_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StackError, match="WEBHOOK_SOURCES_FILE: cannot read") as refused:
        topics({"WEBHOOK_SOURCES_FILE": str(path)})
    assert "\n" not in str(refused.value)
