"""Settings of audit."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from audit.domain.log.key_ring import KeyRing, build_key_ring, read_keys
from audit.domain.log.keys import KeyType
from chassis.process.addresses import Dsn
from chassis.settings import ServiceSettings
from contracts.stripe_events import StripeWorld, stripe_world

SERVICE = "audit"


def _ed25519(keys: SecretStr) -> SecretStr:
    read_keys(keys.get_secret_value(), KeyType.ED25519)
    return keys


def _mldsa(keys: SecretStr) -> SecretStr:
    read_keys(keys.get_secret_value(), KeyType.MLDSA44_COSIGNATURE)
    return keys


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"{path} is no directory: make it, writable by this service alone")
    return path


class LogSettings(ServiceSettings):
    """Settings of the sealed log: its keys, its name, and where its checkpoints are kept (docs/audit.md)."""

    audit_signing_key: Annotated[SecretStr, AfterValidator(_ed25519)] | None = Field(
        None,
        description="Ed25519 keys in signed-note form, one a line: the first signs, others are earlier keys;"
        " unset: nothing is sealed",
    )
    audit_mldsa_key: Annotated[SecretStr, AfterValidator(_mldsa)] | None = Field(
        None, description="ML-DSA-44 keys in the same form: the first signs too"
    )
    audit_log_origin: str | None = Field(
        None, min_length=1, max_length=255, description="name of the log; unset: the name of its key"
    )
    audit_checkpoint_dir: Annotated[Path, AfterValidator(_directory)] | None = Field(
        None, description="where checkpoints are kept, out of reach of the database's owner"
    )

    @property
    def key_ring(self) -> KeyRing | None:
        """Keys of the log; None without a signing key."""
        if self.audit_signing_key is None:
            return None
        mldsa = self.audit_mldsa_key
        return build_key_ring(
            read_keys(self.audit_signing_key.get_secret_value(), KeyType.ED25519),
            read_keys(mldsa.get_secret_value(), KeyType.MLDSA44_COSIGNATURE) if mldsa else [],
            self.audit_log_origin,
        )

    @model_validator(mode="after")
    def _keys_fit_the_log(self) -> Self:
        if self.audit_signing_key is None and self.audit_mldsa_key is not None:
            raise ValueError(
                "AUDIT_MLDSA_KEY is set and AUDIT_SIGNING_KEY is not: a checkpoint needs both signatures"
            )
        if self.key_ring is None and self.environment == "production":
            raise ValueError(
                "AUDIT_SIGNING_KEY is not set although ENVIRONMENT=production: nothing would be sealed;"
                " make one with `audit new-key`"
            )
        return self


class AuditSettings(LogSettings):
    """Settings that `audit serve` reads."""

    audit_postgres_dsn: Dsn
    audit_host: str = "127.0.0.1"
    audit_port: int = Field(8082, ge=1, le=65535)
    audit_gap_seconds_max: float = Field(300, gt=0)
    audit_checkpoint_seconds: float = Field(
        10, ge=0.5, le=3600, description="time between two published checkpoints"
    )
    audit_witness_policy_file: Path | None = Field(
        None, description="trust policy (C2SP tlog-policy): which witnesses are asked to cosign the log"
    )
    audit_witness_seconds: float = Field(
        5, ge=0.1, le=30, description="time between two checkpoints for which witnesses are asked"
    )
    stripe_mode: Literal["live", "test"] | None = Field(
        None,
        description="events of the other mode are recorded as skipped; unset: live in production, else test",
    )
    stripe_account: str | None = Field(None, pattern="^acct_[A-Za-z0-9]+$", description="our own account")

    @property
    def stripe_world(self) -> StripeWorld:
        """Mode and account whose Stripe events booking applies (BK-7a)."""
        return stripe_world(self.stripe_mode, self.stripe_account, self.environment)


class OfflineSettings(ServiceSettings):
    """Settings of the commands that need audit's database and no broker."""

    kafka_bootstrap: str = ""
    audit_postgres_dsn: Dsn
    audit_witness_policy_file: Path | None = None


class EraserSettings(ServiceSettings):
    """Settings of the commands that erase: `audit erase` and `audit retention`."""

    kafka_bootstrap: str = ""
    audit_eraser_postgres_dsn: Dsn


class LogReaderSettings(LogSettings):
    """Settings of the commands that read the log with the public halves of its keys."""

    kafka_bootstrap: str = ""
    audit_postgres_dsn: Dsn
    audit_witness_policy_file: Path | None = None

    @model_validator(mode="after")
    def _keys_fit_the_log(self) -> Self:
        # The command seals nothing, and takes the log's public keys as options too.
        return self


class WitnessSettings(ServiceSettings):
    """Settings that `audit witness serve` reads."""

    kafka_bootstrap: str = ""
    audit_postgres_dsn: Dsn
    audit_witness_host: str = "127.0.0.1"
    audit_witness_port: int = Field(8086, ge=1, le=65535)
    audit_witness_key: SecretStr = Field(
        description="signing keys of this witness, one a line, as `audit witness new-key` writes them"
    )
    audit_witness_logs_file: Path = Field(
        description="trust policy (C2SP tlog-policy) whose `log` lines are the logs to cosign"
    )
