"""Prometheus metrics. Names begin with the service's, label sets are bounded (ALL-5)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from chassis import __version__

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

CONTENT_TYPE = "text/plain; version=0.0.4"
"""Litestar adds the character set."""


class Metrics:
    """The metrics of one process, in a registry of their own, so that two may live in one test."""

    def __init__(self, service: str) -> None:
        self.prefix = service.replace("-", "_")
        self.registry = CollectorRegistry()
        Gauge(f"{self.prefix}_build_info", "1, of this version", ("version",), registry=self.registry).labels(
            __version__
        ).set(1)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """A count that only grows; `_total` is appended to its name."""
        return Counter(f"{self.prefix}_{name}", meaning, labels, registry=self.registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """A value that goes up and down."""
        return Gauge(f"{self.prefix}_{name}", meaning, labels, registry=self.registry)

    def seconds(self, name: str, meaning: str, *labels: str) -> Histogram:
        """A duration in seconds; the name ends in `_seconds`."""
        return Histogram(
            f"{self.prefix}_{name}", meaning, labels, buckets=SECONDS_BUCKETS, registry=self.registry
        )

    def expose(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)
