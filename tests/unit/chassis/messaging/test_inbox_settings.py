"""`INBOX_RETENTION_DAYS`: in production longer than any provider repeats an event."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.messaging.inbox_retention import RETENTION_DAYS_MIN, InboxSettings
from chassis.process.environment import SettingsError, load_settings
from chassis.settings import ServiceSettings


class Settings(InboxSettings, ServiceSettings):
    pass


def settings(**variables: str) -> Settings:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KAFKA_BOOTSTRAP", "nowhere:1")
        for name, value in variables.items():
            environment.setenv(name, value)
        return load_settings(Settings)


def test_retention_is_35_days_by_default() -> None:
    assert settings().inbox_retention == timedelta(days=35)
    assert settings(ENVIRONMENT="production").inbox_retention == timedelta(days=35)


@given(days=st.integers(1, RETENTION_DAYS_MIN - 1))
def test_less_than_35_days_is_for_development_only(days: int) -> None:
    assert settings(INBOX_RETENTION_DAYS=str(days)).inbox_retention_days == days
    with pytest.raises(SettingsError) as refused:
        settings(INBOX_RETENTION_DAYS=str(days), ENVIRONMENT="production")
    assert str(refused.value).startswith("INBOX_RETENTION_DAYS: ")
    assert str(refused.value).endswith("set 35 or more")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("days", ["0", "-1", "3651", "many"])
def test_invalid_retention_is_refused(days: str) -> None:
    with pytest.raises(SettingsError, match=r"^INBOX_RETENTION_DAYS: "):
        settings(INBOX_RETENTION_DAYS=days)
