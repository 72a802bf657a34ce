"""A missing or wrong variable is one clear line that names it, and never tells a secret (ALL-3)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from chassis.process.addresses import Dsn
from chassis.process.environment import SettingsError, load_settings
from chassis.settings import ServiceSettings

SECRET_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cc", "Zs"))

each_example_sets_its_own = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Sample(ServiceSettings):
    token: SecretStr
    attempts_max: int = Field(3, ge=1, le=9)
    numbers: list[int] = Field(default_factory=list[int])
    sample_postgres_dsn: Dsn | None = None


@pytest.fixture(autouse=True)
def _only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Sample.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_variables(**variables: Any) -> None:
        for name, value in {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "TOKEN": "t", **variables}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, str(value))

    return set_variables


def refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(Sample)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_all_given_loads(environment: Callable[..., None]) -> None:
    environment(ATTEMPTS_MAX="4", TOPIC_PREFIX="t1.")
    loaded = load_settings(Sample)
    assert (loaded.kafka_bootstrap, loaded.attempts_max, loaded.topic_prefix) == ("127.0.0.1:1", 4, "t1.")
    assert loaded.token.get_secret_value() == "t"


def test_several_missing_are_all_named_in_one_line(environment: Callable[..., None]) -> None:
    environment(KAFKA_BOOTSTRAP=None, TOKEN=None)
    text = refusal()
    assert "KAFKA_BOOTSTRAP is not set (set it, or KAFKA_BOOTSTRAP_FILE)" in text
    assert "TOKEN is not set" in text


def test_empty_variable_counts_as_missing(environment: Callable[..., None]) -> None:
    environment(TOKEN="")
    assert "TOKEN is not set" in refusal()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ATTEMPTS_MAX", "ten-thousand"),
        ("ATTEMPTS_MAX", "4711"),
        ("LOG_LEVEL", "LOUD-4711"),
        ("ENVIRONMENT", "Production-4711"),
        ("START_SECONDS_MAX", "-4711"),
        ("AUTH_MODE", "jwt-4711"),
        ("NUMBERS", "[4711,"),
        ("NUMBERS", "ten-thousand"),
        ("KAFKA_BOOTSTRAP", "host:port-4711"),
        ("KAFKA_BOOTSTRAP", "host:471100"),
        ("KAFKA_SSL_CAFILE", "/nope-4711"),
        ("SAMPLE_POSTGRES_DSN", "postgresql://u:4711@h:abc/db"),
        ("SAMPLE_POSTGRES_DSN", "postgresql://u:4711@[::1/db"),
    ],
)
def test_wrong_value_names_the_variable_and_not_the_value(
    environment: Callable[..., None], variable: str, value: str
) -> None:
    environment(**{variable: value})
    text = refusal()
    assert variable in text
    assert value not in text


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_file_without_certificates_is_refused(
    environment: Callable[..., None], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content, encoding="utf-8")
    environment(KAFKA_SSL_CAFILE=file)
    assert refusal() == "KAFKA_SSL_CAFILE: not a readable file of PEM certificates (SSLError)"


def test_file_of_certificates_is_taken(environment: Callable[..., None]) -> None:
    environment(KAFKA_SSL_CAFILE=certifi.where(), KAFKA_SECURITY_PROTOCOL="SSL")
    assert load_settings(Sample).kafka_ssl_cafile == certifi.where()


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("missing", ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
def test_login_without_user_or_password_is_refused(
    environment: Callable[..., None], protocol: str, missing: str
) -> None:
    login = {"KAFKA_SASL_USERNAME": "ana", "KAFKA_SASL_PASSWORD": "4711"}
    environment(KAFKA_SECURITY_PROTOCOL=protocol, **login)
    assert load_settings(Sample).kafka_sasl_username == "ana"
    environment(KAFKA_SECURITY_PROTOCOL=protocol, **login | {missing: None})
    assert f"{missing} is not set although KAFKA_SECURITY_PROTOCOL={protocol}" in refusal()


def test_file_gives_the_value_without_its_line_end(environment: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-a-file\n", encoding="utf-8")
    environment(TOKEN=None, TOKEN_FILE=file)
    assert load_settings(Sample).token.get_secret_value() == "from-a-file"


def test_value_and_file_together_are_refused(environment: Callable[..., None], tmp_path: Path) -> None:
    environment(TOKEN="value-4711", TOKEN_FILE=tmp_path / "token")
    text = refusal()
    assert text == "TOKEN and TOKEN_FILE are both set: keep one of them"


def test_empty_file_is_named_and_not_taken_for_an_unset_variable(
    environment: Callable[..., None], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(" \n", encoding="utf-8")
    environment(TOKEN=None, TOKEN_FILE=file)
    assert refusal() == f"TOKEN_FILE: {file} is empty: put the value into it, or unset TOKEN_FILE"


@pytest.mark.parametrize("kind", ["absent", "a folder", "not UTF-8"])
def test_unreadable_file_names_variable_and_path(
    environment: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "token"
    if kind == "a folder":
        path.mkdir()
    elif kind == "not UTF-8":
        path.write_bytes(b"se\xffcret-4711")
    environment(TOKEN=None, TOKEN_FILE=path)
    text = refusal()
    assert text.startswith(f"TOKEN_FILE: cannot read {path}: ")
    assert "4711" not in text


@each_example_sets_its_own
@given(secret=st.text(SECRET_CHARACTERS, min_size=8))
def test_whatever_the_secret_no_error_tells_it(environment: Callable[..., None], secret: str) -> None:
    environment(TOKEN=secret, ATTEMPTS_MAX=secret, LOG_LEVEL=secret, NUMBERS=secret, KAFKA_BOOTSTRAP="")
    text = refusal()
    assert secret not in text


@each_example_sets_its_own
@given(secret=st.text(SECRET_CHARACTERS, min_size=1))
def test_whatever_the_secret_it_is_not_in_the_settings_repr(
    environment: Callable[..., None], secret: str
) -> None:
    environment(TOKEN=f"4711{secret}")
    loaded = load_settings(Sample)
    assert loaded.token.get_secret_value() == f"4711{secret}"
    assert f"4711{secret}" not in repr(loaded)
