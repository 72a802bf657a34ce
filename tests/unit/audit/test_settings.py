"""Keys of the log are read at the start, and a wrong one is named without being shown."""

from pathlib import Path

import pytest

from audit.commands.console import log_keys
from audit.domain.log.keys import KeyType, SigningKey
from audit.settings import AuditSettings, LogReaderSettings
from chassis.process.command_line import CommandError
from chassis.process.environment import SettingsError, load_settings

NAME = "example.com/log"
FIRST, EARLIER = (SigningKey(NAME, KeyType.ED25519, bytes([n] * 32)) for n in (1, 2))
MLDSA = SigningKey(NAME, KeyType.MLDSA44_COSIGNATURE, bytes(32))
ELSEWHERE = SigningKey("elsewhere", KeyType.MLDSA44_COSIGNATURE, bytes(32))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("AUDIT_POSTGRES_DSN", "postgresql://audit:x@127.0.0.1:1/audit")
    return monkeypatch


def test_first_key_of_each_type_signs_and_earlier_ones_still_verify(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(f"{FIRST.encode()}\n\n{EARLIER.encode()}\n")
    environment.setenv("AUDIT_SIGNING_KEY_FILE", str(tmp_path / "keys"))
    environment.setenv("AUDIT_MLDSA_KEY", MLDSA.encode())
    ring = load_settings(AuditSettings).key_ring
    assert ring is not None
    assert (ring.origin, ring.signers) == (NAME, (FIRST, MLDSA))
    assert ring.verifiers == (FIRST.verifier, EARLIER.verifier, MLDSA.verifier)
    assert [ring.signs(key) for key in ring.verifiers] == [True, False, True]


def test_without_a_key_nothing_is_sealed_and_production_does_not_start(
    environment: pytest.MonkeyPatch,
) -> None:
    assert load_settings(AuditSettings).key_ring is None
    environment.setenv("ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match=r"AUDIT_SIGNING_KEY is not set .*audit new-key"):
        load_settings(AuditSettings)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"AUDIT_SIGNING_KEY": "PRIVATE+KEY+secret"}, "AUDIT_SIGNING_KEY: .*a signing key is"),
        (
            {"AUDIT_SIGNING_KEY": MLDSA.encode()},
            "AUDIT_SIGNING_KEY: .* is an ML-DSA-44 key, and an Ed25519 key belongs here",
        ),
        ({"AUDIT_MLDSA_KEY": MLDSA.encode()}, "AUDIT_MLDSA_KEY is set and AUDIT_SIGNING_KEY is not"),
        (
            {"AUDIT_SIGNING_KEY": FIRST.encode(), "AUDIT_LOG_ORIGIN": "other"},
            f"^AUDIT_SIGNING_KEY: .* has the name {NAME}, and the log is other .AUDIT_LOG_ORIGIN.: give",
        ),
        (
            {"AUDIT_SIGNING_KEY": FIRST.encode(), "AUDIT_MLDSA_KEY": ELSEWHERE.encode()},
            f"^AUDIT_MLDSA_KEY: .* has the name elsewhere, and the log is {NAME} .AUDIT_SIGNING_KEY.: give",
        ),
        (
            {"AUDIT_SIGNING_KEY": FIRST.encode(), "AUDIT_CHECKPOINT_DIR": "/nowhere"},
            "AUDIT_CHECKPOINT_DIR: .*no directory",
        ),
        ({"AUDIT_CHECKPOINT_SECONDS": "0"}, "AUDIT_CHECKPOINT_SECONDS"),
    ],
)
def test_wrong_setting_is_named_and_no_key_is_shown(
    environment: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence) as refusal:
        load_settings(AuditSettings)
    assert not any(len(value) > 30 and value in str(refusal.value) for value in variables.values())
    assert "\n" not in str(refusal.value)


def test_command_with_a_key_of_another_log_says_whose_it_is(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AUDIT_SIGNING_KEY", FIRST.encode())
    environment.setenv("AUDIT_LOG_ORIGIN", "other")
    with pytest.raises(
        CommandError, match=f"^AUDIT_SIGNING_KEY: .* has the name {NAME}, and the log is other"
    ):
        log_keys(None, load_settings(LogReaderSettings))
