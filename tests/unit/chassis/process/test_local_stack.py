"""Commands without variables use the stack of this machine, and say so."""

import json
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from chassis.process.environment import SettingsError
from chassis.process.local_stack import FILE, load_command_settings

DSN = "postgresql://here/thing"


class Offline(BaseSettings):
    thing_dsn: str
    thing_limit: int = 3


@pytest.fixture(autouse=True)
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("THING_DSN", "THING_LIMIT", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PLUMBLINE_STATE", str(tmp_path))
    (tmp_path / FILE).write_text(json.dumps({"thing": {"THING_DSN": DSN, "THING_LIMIT": "7", "OTHER": "x"}}))
    return tmp_path


def test_missing_variables_come_from_the_running_stack(
    capsys: pytest.CaptureFixture[str], stack: Path
) -> None:
    settings = load_command_settings(Offline, "thing")
    assert (settings.thing_dsn, settings.thing_limit) == (DSN, 7)
    said = capsys.readouterr().err
    assert said.startswith(f"thing: using the stack in {stack}, because THING_DSN is not set")


def test_variable_of_the_shell_comes_first_and_nothing_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THING_DSN", "postgresql://mine/thing")
    settings = load_command_settings(Offline, "thing")
    assert (settings.thing_dsn, settings.thing_limit) == ("postgresql://mine/thing", 3)
    assert not capsys.readouterr().err


def test_production_takes_nothing_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match="THING_DSN is not set"):
        load_command_settings(Offline, "thing")


@pytest.mark.parametrize("content", [None, "no json"])
def test_without_a_stack_the_error_names_the_way(content: str | None, stack: Path) -> None:
    (stack / FILE).unlink()
    if content is not None:
        (stack / FILE).write_text(content)
    with pytest.raises(SettingsError, match=r"THING_DSN is not set.*plumbline env"):
        load_command_settings(Offline, "thing")
