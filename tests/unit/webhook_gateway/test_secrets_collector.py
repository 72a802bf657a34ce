"""What metrics tell of the signing secrets."""

from datetime import timedelta
from math import inf

from prometheus_client.core import CollectorRegistry

from chassis import clock
from chassis.observability.metrics import Metrics
from unit.webhook_gateway.signed_deliveries import OTHER_SECRET, SECRET
from webhook_gateway.domain.source import STRIPE_IDENTITY, Source
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Secret
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.metrics import SecretsCollector


def told(*secrets: Secret) -> tuple[float | None, float | None]:
    accepted = AcceptedScheme(SCHEMES["stripe"], secrets, "STRIPE_WEBHOOK_SECRET")
    sources = Sources({"stripe": Source("stripe", (accepted,), STRIPE_IDENTITY, always_verified=True)})
    registry = CollectorRegistry()
    registry.register(SecretsCollector(Metrics("gateway"), sources))
    labels = {"source": "stripe", "scheme": "stripe", "variable": "STRIPE_WEBHOOK_SECRET"}
    return (
        registry.get_sample_value("gateway_secrets_live", labels),
        registry.get_sample_value("gateway_secrets_end_timestamp_seconds", labels),
    )


def test_how_many_count_and_when_the_last_of_them_ends() -> None:
    now = clock.now()
    ended_at = now - timedelta(seconds=1)
    ended = Secret(SECRET.key, ended_at)
    soon, later = Secret(SECRET.key, now + timedelta(days=1)), Secret(SECRET.key, now + timedelta(days=2))
    assert later.ends_at is not None
    assert told() == (0, None)
    assert told(ended) == (0, ended_at.timestamp()), "an alert must not end with the last secret"
    assert told(ended, soon, later) == (2, later.ends_at.timestamp())
    assert told(soon, OTHER_SECRET) == (2, inf)
