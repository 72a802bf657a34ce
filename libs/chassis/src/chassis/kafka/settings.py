"""Settings of the connection to Kafka."""

import ssl
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, SecretStr, model_validator
from pydantic_settings import BaseSettings

from chassis.process.addresses import Bootstrap


def _holds_certificates(path: str) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ValueError(f"not a readable file of PEM certificates ({type(error).__name__})") from None
    return path


class KafkaSettings(BaseSettings):
    """Fields for the connection to Kafka. `ServiceSettings` inherits them."""

    kafka_bootstrap: Bootstrap
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Annotated[str, AfterValidator(_holds_certificates)] | None = None
    topic_prefix: str = ""

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            for variable in ("kafka_sasl_username", "kafka_sasl_password"):
                if getattr(self, variable) is None:
                    raise ValueError(
                        f"{variable.upper()} is not set although"
                        f" KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}: brokers require a login"
                    )
        return self
