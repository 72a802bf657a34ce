"""What stands in the repository protects nothing, and production refuses it."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from chassis.process.published_secrets import find_published, is_published

ROOT = Path(__file__).parents[4]
COMPOSE = ROOT / "docker-compose.yml"
DEVELOPMENT = ROOT / "deploy/compose.development.env"
SECRET_NAME = re.compile(r"SECRET|PASSWORD|TOKEN|(?<!PUBLIC)_KEY$")
PLACEHOLDER = re.compile(r"[A-Z_]+|\$.*|\{.*|\.\.\.|…|for-tests-.*|4711")
"""PASSWORD, $VARIABLE; and what tests give to servers that live as long as they do."""

SHOWN = re.compile(r"\b(whsec_[A-Za-z0-9+/=_-]{12,})|(?:postgres(?:ql)?|kafka)://[^:/\s]+:([^@\s]+)@")


def assignments(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


def pages() -> Iterable[Path]:
    """Return the pages from which users copy."""
    yield from (ROOT / "README.md", COMPOSE, ROOT / "CONTRIBUTING.md", ROOT / "Makefile")
    for folder in ("docs", "deploy"):
        yield from (p for p in (ROOT / folder).rglob("*") if p.suffix in {".md", ".yml", ".yaml", ".env"})


def test_every_secret_of_the_development_file_is_known_to_be_published() -> None:
    secrets = {n: v for n, v in assignments(DEVELOPMENT.read_text()).items() if SECRET_NAME.search(n)}
    assert len(secrets) == 10
    assert all(map(is_published, secrets.values()))


def test_compose_has_no_default_for_a_secret_and_asks_for_what_the_development_file_sets() -> None:
    text = COMPOSE.read_text()
    defaults = re.findall(r"\$\{([A-Z_]+):-([^}]+)\}", text)
    assert [name for name, _ in defaults if SECRET_NAME.search(name)] == []
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert asked == {n for n in assignments(DEVELOPMENT.read_text()) if SECRET_NAME.search(n)}


def test_no_page_shows_a_secret_that_production_would_take() -> None:
    shown = {found for path in pages() for pair in SHOWN.findall(path.read_text()) for found in pair if found}
    taken = [each for each in shown if not PLACEHOLDER.fullmatch(each) and not is_published(each)]
    assert taken == []
    assert "whsec_for_development_only_not_a_secret" in shown


@pytest.mark.parametrize(
    "text",
    [
        "development",
        " development ",
        "Development",
        "changeme-changeme-changeme-changeme",
        "a-string-secret-at-least-256-bits-long",
        "whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "postgresql://booking:development@db:5432/booking",
        "postgresql://booking:d%65velopment@db1:5432,db2:5432/booking?sslmode=require",
        "postgresql://booking@db/booking?password=development",
        "whsec_for_development_only_not_a_secret;until=2026-12-01T00:00:00Z",
        "whsec_of_our_own_that_nobody_knows_0000,whsec_for_development_only_not_a_secret",
        "Zm9yIGRldmVsb3BtZW50IG9ubHksIG5vdCBhIHNlY3JldA",  # the same key without prefix and padding
        "v1,whsec_Zm9yIGRldmVsb3BtZW50IG9ubHksIG5vdCBhIHNlY3JldA==",
    ],
)
def test_published_secret_is_known_however_it_is_written(text: str) -> None:
    assert is_published(text)
    told = find_published({"SOME_SECRET": text})
    assert told.startswith("SOME_SECRET holds")
    assert text.strip() not in told


@pytest.mark.parametrize(
    "text",
    ["", "whsec_of_our_own_that_nobody_knows_0000", "postgresql://postgres@db/plumbline", "k1:9092,k2:9092"],
)
def test_other_text_is_not(text: str) -> None:
    assert not is_published(text)


@pytest.mark.parametrize("service", yaml.safe_load(COMPOSE.read_text())["services"])
def test_compose_confines_and_limits_every_container(service: str) -> None:
    told = yaml.safe_load(COMPOSE.read_text())["services"][service]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["mem_limit"]
    assert told["cpus"]
    assert told["pids_limit"]
    assert "read_only" in told or service in {"kafka", "postgres"}
