"""Settings that stop the start with one line that names the variable."""

import pytest

from chassis.process.environment import SettingsError, load_settings
from reconciler.settings import ReconcilerSettings

REQUIRED = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "RECONCILER_POSTGRES_DSN": "postgresql://r@127.0.0.1:1/r",
    "RECONCILER_BOOKING_VIEW_DSN": "postgresql://v@127.0.0.1:1/b",
}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BUSINESS_TIME_ZONE", "America/Chicag"),
        ("BUSINESS_TIME_ZONE", "../etc/localtime"),
        ("RECONCILER_CRON", "61 2 * * *"),
        ("RECONCILER_CRON", "0 2 * *"),
        ("RECONCILER_CRON", "0 0 31 2 *"),
        ("RECONCILER_CRON", "@daily"),
        ("RECONCILER_MISSED_SLOT_HOURS", "0"),
        ("RECONCILER_MISSED_SLOT_HOURS", "one"),
    ],
)
def test_wrong_schedule_stops_the_start(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    for name, text in {**REQUIRED, variable: value}.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(ReconcilerSettings)
    assert variable in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
