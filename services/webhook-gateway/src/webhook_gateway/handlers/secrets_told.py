"""What metrics tell of the signing secrets: how many count, and until when."""

from collections.abc import Iterator
from datetime import datetime
from math import inf

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chassis import clock
from webhook_gateway.domain.verification import AcceptedScheme
from webhook_gateway.handlers.sources import Sources

LABELS = ("source", "scheme", "variable")


class SecretsTold(Collector):
    """Asked at every scrape, because sources are replaced and secrets end by themselves.

    Args:
        prefix: of the metrics' names.
        sources: those of each moment.
    """

    def __init__(self, prefix: str, sources: Sources) -> None:
        self._prefix = prefix
        self._sources = sources

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """`secrets_live`, and `secrets_end_timestamp_seconds` wherever there is or was a secret."""
        now = clock.now()
        live = GaugeMetricFamily(
            f"{self._prefix}_secrets_live", "Secrets that may sign deliveries now", labels=LABELS
        )
        ends = GaugeMetricFamily(
            f"{self._prefix}_secrets_end_timestamp_seconds",
            "When the last secret ends, or has ended, as Unix time; +Inf: never",
            labels=LABELS,
        )
        for source in self._sources.all():
            for accepted in source.accepted:
                labels = (source.name, accepted.scheme.name, accepted.variable)
                count, end = _told(accepted, now)
                live.add_metric(labels, count)
                if accepted.secrets:  # also of those that have ended: an alert must not end with the last one
                    ends.add_metric(labels, end)
        yield live
        yield ends


def _told(accepted: AcceptedScheme, now: datetime) -> tuple[int, float]:
    ends = [secret.ends_at.timestamp() if secret.ends_at else inf for secret in accepted.secrets]
    return sum(secret.is_live(now) for secret in accepted.secrets), max(ends, default=0.0)
