"""Who runs a command: the login name, where it may stand in a history for ever."""

import pytest

from chassis.process.login import login_name


@pytest.mark.parametrize(
    ("login", "recorded"),
    [("ana", "ana"), ("ci-7", "ci-7"), ("Ana Example", "cli"), ("ana@example.com", "cli"), ("stripe", "cli")],
)
def test_login_name_is_recorded_if_it_is_an_id_and_no_machine_s(
    login: str, recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", login)
    assert login_name() == recorded


def test_user_without_an_account_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_000)
    assert login_name() == "cli"
