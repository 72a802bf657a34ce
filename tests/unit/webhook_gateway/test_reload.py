"""When changed configuration is loaded, and what counts as a change."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.process.environment import load_settings
from webhook_gateway.domain.reload import RETRY_SECONDS, FileWatch
from webhook_gateway.settings import OfflineSettings, configured_sources
from webhook_gateway.settings.files import read_fingerprint

OLD, NEW, HALF = b"old", b"new", b"half"
BEFORE = FileWatch(OLD, OLD)
STRIPE_SECRET = "whsec_abcdefghijklmnopqrstuvwxyz012345"


def polls(watched: FileWatch, *seen: bytes) -> tuple[FileWatch, list[bool]]:
    loads: list[bool] = []
    for fingerprint in seen:
        watched, is_due = watched.poll(fingerprint, 0.0)
        loads.append(is_due)
    return watched, loads


def test_what_has_not_changed_is_not_loaded() -> None:
    assert polls(BEFORE, OLD, OLD, OLD)[1] == [False, False, False]


def test_a_change_is_loaded_once_it_was_seen_twice() -> None:
    watched, loads = polls(BEFORE, NEW, NEW)
    assert loads == [False, True]
    assert polls(watched.loaded_now(), NEW, NEW)[1] == [False, False]


def test_a_file_that_is_still_being_written_is_left_alone() -> None:
    assert polls(BEFORE, HALF, NEW, NEW)[1] == [False, False, True]


def test_a_change_that_was_taken_back_is_no_change() -> None:
    assert polls(BEFORE, NEW, OLD, OLD)[1] == [False, False, False]


def test_a_refused_load_is_tried_again_when_its_time_has_come() -> None:
    watched = polls(BEFORE, NEW, NEW)[0].refused_now(100.0)
    assert watched.poll(NEW, 100.0 + RETRY_SECONDS - 0.1)[1] is False
    again, is_due = watched.poll(NEW, 100.0 + RETRY_SECONDS)
    assert is_due
    assert again.loaded_now().poll(NEW, 1_000.0)[1] is False


def test_a_refused_load_is_tried_again_at_once_when_the_files_change() -> None:
    watched = polls(BEFORE, NEW, NEW)[0].refused_now(0.0)
    assert polls(watched, HALF, HALF)[1] == [False, True]


@given(st.lists(st.sampled_from([OLD, NEW, HALF]), max_size=30))
def test_only_what_two_looks_agree_on_is_loaded(seen: list[bytes]) -> None:
    watched, before = BEFORE, OLD
    for fingerprint in seen:
        watched, is_due = watched.poll(fingerprint, 0.0)
        if is_due:
            assert fingerprint == before
            assert fingerprint != watched.loaded
            watched = watched.loaded_now()
        before = fingerprint


@pytest.fixture
def secret_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("STRIPE_WEBHOOK_SECRET", "WEBHOOK_SOURCES_FILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "stripe"
    path.write_text(STRIPE_SECRET)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET_FILE", str(path))
    return path


def fingerprint() -> bytes:
    settings = load_settings(OfflineSettings)
    return read_fingerprint(settings.webhook_sources_file, configured_sources(settings).values())


def test_a_secret_file_is_told_apart_by_its_content_alone(secret_file: Path) -> None:
    before = fingerprint()
    turned = secret_file.with_name("next")
    turned.write_text(STRIPE_SECRET)
    turned.replace(secret_file)
    assert fingerprint() == before
    secret_file.write_text(STRIPE_SECRET + "x")
    assert fingerprint() != before


def test_a_file_that_goes_away_is_a_change(secret_file: Path) -> None:
    sources = configured_sources(load_settings(OfflineSettings)).values()
    before = read_fingerprint(None, sources)
    secret_file.unlink()
    gone = read_fingerprint(None, sources)
    assert gone != before
    assert read_fingerprint(None, sources) == gone


def test_the_sources_file_and_the_secrets_it_names_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret_file: Path
) -> None:
    file, secret = tmp_path / "sources.toml", tmp_path / "acme"
    accept = '[[sources.acme.accept]]\nscheme = "github"\nsecret_variable = "ACME_SECRET"\n'
    file.write_text(accept)
    secret.write_text("a secret of more than twenty-four bytes")
    monkeypatch.setenv("WEBHOOK_SOURCES_FILE", str(file))
    monkeypatch.setenv("ACME_SECRET_FILE", str(secret))
    seen = {fingerprint()}
    secret.write_text("another secret of more than twenty-four bytes")
    seen.add(fingerprint())
    file.write_text(accept + "# a comment\n")
    seen.add(fingerprint())
    assert len(seen) == 3
