"""The gateway's metrics. Labels come from configuration and closed lists, never from a request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chassis import clock
from chassis.observability.metrics import Metrics
from contracts.reasons import RefusalReason
from webhook_gateway.domain.flag_table import SIGNATURE_REASONS, Verification
from webhook_gateway.domain.verification import AcceptedScheme
from webhook_gateway.handlers.sources import Sources

# Label and record key of every source that is not configured: callers must not name our metrics.
SOURCE_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class GatewayMetrics:
    """Counters and gauges of one gateway process."""

    requests: Counter
    unverified: Counter
    in_flight: Gauge
    bodies_bytes: Gauge
    refusals_suppressed: Counter
    refusals_unpublished: Counter
    refusals_waiting: Gauge
    reload_ok: Gauge
    reloaded_at: Gauge

    def start_from_zero(self, sources: Iterable[str]) -> None:
        """Expose 0 for every outcome of these sources, so that alerts see the first increase."""
        for source in sources:
            for verification in Verification:
                self.requests.labels(source, verification.value)
            for reason in RefusalReason:
                self.requests.labels(source, reason.value)
            for reason in SIGNATURE_REASONS:
                self.unverified.labels(source, reason.value)


def register_metrics(metrics: Metrics, *, validation_enabled: bool) -> GatewayMetrics:
    """Register the gateway's metrics, and set the gauge of ENABLE_WEBHOOK_VALIDATION (GW-8)."""
    metrics.gauge("validation_enabled").set(validation_enabled)
    return GatewayMetrics(
        requests=metrics.counter("requests"),
        unverified=metrics.counter("unverified"),
        in_flight=metrics.gauge("requests_in_flight"),
        bodies_bytes=metrics.gauge("bodies_bytes"),
        refusals_suppressed=metrics.counter("refusals_suppressed"),
        refusals_unpublished=metrics.counter("refusals_unpublished"),
        refusals_waiting=metrics.gauge("refusals_waiting"),
        reload_ok=metrics.gauge("reload_ok"),
        reloaded_at=metrics.gauge("reloaded_timestamp_seconds"),
    )


class SecretsCollector(Collector):
    """Gauges of the signing secrets, computed at each scrape: sources are replaced and secrets end.

    Args:
        metrics: of the process.
        sources: the configured sources.
    """

    def __init__(self, metrics: Metrics, sources: Sources) -> None:
        self._metrics = metrics
        self._sources = sources

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield `secrets_live` of every scheme, `secrets_end_timestamp_seconds` of those with a secret."""
        now = clock.now()
        live = self._metrics.gauge_family("secrets_live")
        ends = self._metrics.gauge_family("secrets_end_timestamp_seconds")
        for source in self._sources.all():
            for accepted in source.accepted:
                labels = (source.name, accepted.scheme.name, accepted.variable)
                count, end = _live_and_end(accepted, now)
                live.add_metric(labels, count)
                if accepted.secrets:  # ended ones too: the alert must not resolve when the last secret ends
                    ends.add_metric(labels, end)
        yield live
        yield ends


def _live_and_end(accepted: AcceptedScheme, now: datetime) -> tuple[int, float]:
    ends = [secret.ends_at.timestamp() if secret.ends_at else inf for secret in accepted.secrets]
    return sum(secret.is_live(now) for secret in accepted.secrets), max(ends, default=0.0)
