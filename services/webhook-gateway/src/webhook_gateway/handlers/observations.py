"""The gateway's metrics. Labels come from configuration and closed lists, never from a request."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from chassis.observability.metrics import Metrics, Tally
from contracts.reasons import RefusalReason
from webhook_gateway.domain.policy import SIGNATURE_REASONS, Verification

SOURCE_UNKNOWN = "unknown"
"""Label and record key of every source that is not configured: callers must not name our metrics."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What is counted."""

    requests: Tally
    unverified: Tally
    in_flight: Gauge
    bodies_bytes: Gauge
    refusals_suppressed: Counter
    refusals_unpublished: Counter
    refusals_waiting: Gauge
    reload_ok: Gauge
    reloaded_at: Gauge

    def expect(self, sources: Iterable[str]) -> None:
        """From now on 0 is told of all that may become of their deliveries."""
        for source in sources:
            for verification in Verification:
                self.requests.expect(source, verification.value)
            for reason in RefusalReason:
                self.requests.expect(source, reason.value)
            for reason in SIGNATURE_REASONS:
                self.unverified.expect(source, reason.value)


def observe(metrics: Metrics, *, validation_enabled: bool) -> Observations:
    """The gateway's metrics in a process's registry, the flag's state among them (GW-8)."""
    metrics.gauge("validation_enabled", "1 while ENABLE_WEBHOOK_VALIDATION is true").set(validation_enabled)
    return Observations(
        requests=metrics.tally("requests", "Requests by source and what became of them", "source", "outcome"),
        unverified=metrics.tally(
            "unverified",
            "Deliveries taken unverified, by what the flag would have refused them for",
            "source",
            "reason",
        ),
        in_flight=metrics.gauge("requests_in_flight", "Requests being worked on"),
        bodies_bytes=metrics.gauge("bodies_bytes", "Bytes of request bodies in memory"),
        refusals_suppressed=metrics.counter(
            "refusals_suppressed", "Refusals counted in a summary instead of published one by one", "source"
        ),
        refusals_unpublished=metrics.counter(
            "refusals_unpublished", "Refusals lost to the record because the broker was away for too long"
        ),
        refusals_waiting=metrics.gauge("refusals_waiting", "Refusals waiting to be published"),
        reload_ok=metrics.gauge("reload_ok", "1 while the secrets in force are those of their files"),
        reloaded_at=metrics.gauge(
            "reloaded_timestamp_seconds", "When secrets and sources were last loaded, as Unix time"
        ),
    )
