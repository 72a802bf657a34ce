"""What the audit service reads from the environment."""

from pydantic import Field

from chassis.addresses import Dsn
from chassis.settings import ServiceSettings

SERVICE = "audit"


class AuditSettings(ServiceSettings):
    """Everything that `audit serve` reads."""

    audit_postgres_dsn: Dsn
    audit_host: str = "127.0.0.1"
    audit_port: int = Field(8082, ge=1, le=65535)
    audit_gap_seconds_max: float = Field(300, gt=0)


class ReadingSettings(AuditSettings):
    """What is needed to read the log: its database, no broker."""

    kafka_bootstrap: str = ""
