"""What the environment may say, and how the gateway refuses to start (GW-6, GW-8)."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chassis.process.environment import SettingsError, load_settings
from webhook_gateway.main import build
from webhook_gateway.settings import GatewaySettings, WebhookSettings, configured_sources

STRIPE_SECRET = "whsec_abcdefghijklmnopqrstuvwxyz012345"
LEGACY_SECRET = "R2ZLM2o0bFhBNVpyUnU2NG9mYXQ1MHNyR3pvSUhIVVg="
QUO_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VARIABLES = ("STRIPE_WEBHOOK_SECRET", "OPENPHONE_WEBHOOK_SECRET", "QUO_WEBHOOK_SECRET")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    names = (
        *VARIABLES,
        *(f"{name}_FILE" for name in VARIABLES),
        "ENVIRONMENT",
        "ENABLE_WEBHOOK_VALIDATION",
        "ALLOW_UNVALIDATED_WEBHOOKS",
    )
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "broker:9092")
    return monkeypatch


@pytest.mark.parametrize(
    ("value", "enabled"),
    [
        ("true", True),
        ("True", False),
        ("TRUE", False),
        ("1", False),
        ("yes", False),
        (" true", False),
        ("", False),
    ],
)
def test_only_the_exact_string_true_turns_validation_on(
    environment: pytest.MonkeyPatch, value: str, enabled: bool
) -> None:
    environment.setenv("ENABLE_WEBHOOK_VALIDATION", value)
    assert load_settings(GatewaySettings).validation_enabled is enabled


def test_validation_is_off_by_default() -> None:
    assert load_settings(GatewaySettings).validation_enabled is False


def test_production_without_validation_refuses_to_start_and_says_what_to_set(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match=r"ENABLE_WEBHOOK_VALIDATION.*ALLOW_UNVALIDATED_WEBHOOKS=true"):
        load_settings(GatewaySettings)
    environment.setenv("ALLOW_UNVALIDATED_WEBHOOKS", "yes")
    with pytest.raises(SettingsError):
        load_settings(GatewaySettings)


@pytest.mark.parametrize("name", ["ENABLE_WEBHOOK_VALIDATION", "ALLOW_UNVALIDATED_WEBHOOKS"])
def test_production_starts_validated_or_unvalidated_on_purpose(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv(name, "true")
    assert load_settings(GatewaySettings).environment == "production"


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", ["", " ", "short", "whsec_", f"{STRIPE_SECRET},", "AAAA"])
def test_unusable_secret_names_its_variable_and_never_its_value(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable) as refusal:
        configured_sources(load_settings(GatewaySettings))
    assert not value.strip() or value not in str(refusal.value)


def test_missing_secrets_are_no_failure_and_sources_are_there() -> None:
    sources = configured_sources(load_settings(GatewaySettings))
    assert set(sources) == {"stripe", "sms"}
    assert not any(accepted.secrets for source in sources.values() for accepted in source.accepted)
    assert sources["stripe"].always_verified
    assert not sources["sms"].always_verified


def test_several_secrets_with_an_end_are_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(
        "STRIPE_WEBHOOK_SECRET", f"{STRIPE_SECRET};until=2026-12-01T00:00:00Z, {STRIPE_SECRET}2"
    )
    first, second = configured_sources(load_settings(GatewaySettings))["stripe"].accepted[0].secrets
    assert (first.key.decode(), second.key.decode()) == (STRIPE_SECRET, STRIPE_SECRET + "2")
    assert first.ends_at is not None
    assert first.ends_at.isoformat() == "2026-12-01T00:00:00+00:00"
    assert second.ends_at is None


@pytest.mark.parametrize("mark", ["; until=", ";UNTIL=", ";until = ", " ;until="])
def test_end_counts_however_it_is_spaced(environment: pytest.MonkeyPatch, mark: str) -> None:
    environment.setenv("STRIPE_WEBHOOK_SECRET", f"{STRIPE_SECRET}{mark}2026-12-01T00:00:00Z")
    (secret,) = configured_sources(load_settings(GatewaySettings))["stripe"].accepted[0].secrets
    assert secret.key.decode() == STRIPE_SECRET
    assert secret.ends_at is not None


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        (";unitl=2026-12-01T00:00:00Z", "something like an end"),
        (";until 2026-12-01", "something like an end"),
        (";2026-12-01", "something like an end"),
        (",", "a comma with nothing"),
        (f",,{STRIPE_SECRET}", "a comma with nothing"),
    ],
)
def test_slip_behind_a_secret_is_no_part_of_it(
    environment: pytest.MonkeyPatch, behind: str, told: str
) -> None:
    """Taken for a part of the key it would close the door that was open."""
    environment.setenv("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET + behind)
    with pytest.raises(SettingsError, match=f"STRIPE_WEBHOOK_SECRET has {told}") as refusal:
        configured_sources(load_settings(GatewaySettings))
    assert STRIPE_SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("QUO_WEBHOOK_SECRET", f'"{QUO_SECRET}"', "begins with a quotation mark"),
        ("QUO_WEBHOOK_SECRET", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secrets begin with whsec_"),
        ("QUO_WEBHOOK_SECRET", "sk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an API key"),
        ("OPENPHONE_WEBHOOK_SECRET", QUO_SECRET, "is not base64: it begins with whsec_"),
        ("OPENPHONE_WEBHOOK_SECRET", f"'{LEGACY_SECRET}'", "begins with a quotation mark"),
        ("STRIPE_WEBHOOK_SECRET", f'"{STRIPE_SECRET}"', "begins with a quotation mark"),
        ("STRIPE_WEBHOOK_SECRET", f"{STRIPE_SECRET}\u201d", "ends with a quotation mark"),
        ("STRIPE_WEBHOOK_SECRET", f"{STRIPE_SECRET},'{STRIPE_SECRET}'", "begins with a quotation mark"),
        ("STRIPE_WEBHOOK_SECRET", "sk_live_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an API key.*whsec_"),
        ("STRIPE_WEBHOOK_SECRET", "rk_test_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an API key.*whsec_"),
        ("STRIPE_WEBHOOK_SECRET", "pk_live_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an API key.*whsec_"),
        ("STRIPE_WEBHOOK_SECRET", "we_1MfKQ9r8GKYqrTwjUPD8ILPZIo", "is an endpoint's id.*whsec_"),
        ("STRIPE_WEBHOOK_SECRET", f"\u200b{STRIPE_SECRET}", r"holds U\+200B"),
        ("STRIPE_WEBHOOK_SECRET", f"{STRIPE_SECRET}\ufeff", r"holds U\+FEFF"),
        ("STRIPE_WEBHOOK_SECRET", f"whsec_\u00ad{STRIPE_SECRET}", r"holds U\+00AD"),
        ("STRIPE_WEBHOOK_SECRET", f"whsec_\u00a0{STRIPE_SECRET}", r"holds U\+00A0"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw", "holds a space"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqr\nTwjUPD8ILPZIo2LaLaSw", r"holds U\+000A"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2Lа", "is not ASCII"),  # noqa: RUF001
        ("STRIPE_WEBHOOK_SECRET", f"STRIPE_WEBHOOK_SECRET={STRIPE_SECRET}", "not at its beginning"),
        ("STRIPE_WEBHOOK_SECRET", f"v1,{STRIPE_SECRET}", 'has "v1," before a secret'),
    ],
)
def test_secret_that_cannot_be_right_is_refused_by_variable_and_mistake(
    environment: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{variable} .*{told}") as refusal:
        configured_sources(load_settings(GatewaySettings))
    assert not any(part in str(refusal.value) for part in ("MfKQ", "abcdefgh", "R2ZL"))


def test_version_before_a_standard_webhooks_secret_is_no_secret(environment: pytest.MonkeyPatch) -> None:
    other = QUO_SECRET.replace("M", "N")
    environment.setenv("QUO_WEBHOOK_SECRET", f"v1,{QUO_SECRET};until=2026-12-01T00:00:00Z, v1,{other}")
    first, second = configured_sources(load_settings(GatewaySettings))["sms"].accepted[1].secrets
    environment.setenv("QUO_WEBHOOK_SECRET", f"{QUO_SECRET},{other}")
    plain = configured_sources(load_settings(GatewaySettings))["sms"].accepted[1].secrets
    assert [first.key, second.key] == [each.key for each in plain]
    assert first.ends_at is not None


@pytest.mark.parametrize(
    "end",
    ["tomorrow", "", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2026-12-01T00:00:00Z\udcff"],
)
def test_end_that_is_no_time_is_refused(environment: pytest.MonkeyPatch, end: str) -> None:
    environment.setenv("STRIPE_WEBHOOK_SECRET", f"{STRIPE_SECRET};until={end}")
    with pytest.raises(SettingsError, match=r"STRIPE_WEBHOOK_SECRET.*until"):
        configured_sources(load_settings(GatewaySettings))


def test_end_is_kept_in_utc(environment: pytest.MonkeyPatch) -> None:
    ends = ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+05:00", "0001-01-01T00:00:00-05:00")
    environment.setenv("STRIPE_WEBHOOK_SECRET", ",".join(f"{STRIPE_SECRET};until={end}" for end in ends))
    secrets = configured_sources(load_settings(GatewaySettings))["stripe"].accepted[0].secrets
    assert [secret.ends_at and secret.ends_at.isoformat() for secret in secrets] == [
        "9999-12-31T23:59:59+00:00",
        "9999-12-31T18:59:59+00:00",
        "0001-01-01T05:00:00+00:00",
    ]


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("where", ["{}\udcff\udcfe", "\udcff{}", "{0};until=2026-12-01T00:00:00Z,{0}\udcff"])
def test_secret_that_is_no_utf8_is_refused_and_not_shown(
    environment: pytest.MonkeyPatch, variable: str, where: str
) -> None:
    environment.setenv(variable, where.format(LEGACY_SECRET))
    with pytest.raises(SettingsError, match=rf"^{variable} is not (UTF-8|base64[^\n]*)$") as refusal:
        configured_sources(load_settings(GatewaySettings))
    assert LEGACY_SECRET not in str(refusal.value)


def test_each_generation_of_openphone_has_its_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENPHONE_WEBHOOK_SECRET", LEGACY_SECRET)
    environment.setenv("QUO_WEBHOOK_SECRET", QUO_SECRET)
    settings: WebhookSettings = load_settings(GatewaySettings)
    accepted = configured_sources(settings)["sms"].accepted
    assert [(each.scheme.name, len(each.secrets)) for each in accepted] == [
        ("openphone-legacy", 1),
        ("standard-webhooks", 1),
    ]
    assert QUO_SECRET not in repr(settings)


@pytest.mark.parametrize("variable", VARIABLES)
def test_secret_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    path = tmp_path / "secret"
    mark = "\ufeff"  # as some editors begin a file
    path.write_text(f"{mark}{QUO_SECRET if variable.startswith('QUO') else LEGACY_SECRET}\n")
    environment.setenv(f"{variable}_FILE", str(path))
    sources = configured_sources(load_settings(GatewaySettings)).values()
    loaded = [each.variable for source in sources for each in source.accepted if each.secrets]
    assert loaded == [variable]
    path.write_text("\n")
    with pytest.raises(SettingsError, match=f"{variable} is empty"):
        configured_sources(load_settings(GatewaySettings))
    environment.setenv(variable, LEGACY_SECRET)
    with pytest.raises(SettingsError, match=f"{variable} and {variable}_FILE are both set"):
        configured_sources(load_settings(GatewaySettings))


@pytest.mark.parametrize(("written", "warns"), [("true", False), ("TRUE", True), ("1", True), (None, True)])
def test_open_door_is_told_at_start(
    environment: pytest.MonkeyPatch, written: str | None, warns: bool
) -> None:
    if written is not None:
        environment.setenv("ENABLE_WEBHOOK_VALIDATION", written)
    with capture_logs() as lines:
        build(load_settings(GatewaySettings))
    assert any("ENABLE_WEBHOOK_VALIDATION to true" in line["event"] for line in lines) == warns
