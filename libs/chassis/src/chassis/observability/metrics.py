"""Prometheus metrics. Names begin with the service's, label sets are bounded (ALL-5)."""

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from chassis import __version__
from contracts.metrics import METRICS

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Litestar adds the character set.
CONTENT_TYPE = "text/plain; version=0.0.4"

# A second series for each counter and histogram, which the text format shows as a gauge of its own.
disable_created_metrics()


class Metrics:
    """The metrics of one process, made from `contracts.metrics`, in a registry of their own.

    Two instances can live in one test.
    """

    def __init__(self, service: str) -> None:
        self.prefix = service.replace("-", "_")
        self.registry = CollectorRegistry()
        self.gauge("build_info").labels(__version__).set(1)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def counter(self, name: str) -> Counter:
        """Return a new counter; Prometheus sees its name with `_total`."""
        return Counter(*self._definition("counter", name), registry=self.registry)

    def gauge(self, name: str) -> Gauge:
        """Return a new gauge."""
        return Gauge(*self._definition("gauge", name), registry=self.registry)

    def gauge_family(self, name: str) -> GaugeMetricFamily:
        """Return an empty gauge for one scrape, for a collector that computes its values then."""
        full_name, meaning, labels = self._definition("gauge", name)
        return GaugeMetricFamily(full_name, meaning, labels=labels)

    def seconds(self, name: str, *, buckets: Sequence[float] = SECONDS_BUCKETS) -> Histogram:
        """Return a new histogram of seconds."""
        definition = self._definition("histogram", name)
        return Histogram(*definition, buckets=buckets, registry=self.registry)

    def register(self, collector: Collector) -> None:
        """Add a collector that computes its values at each scrape."""
        self.registry.register(collector)

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _definition(self, kind: str, name: str) -> tuple[str, str, tuple[str, ...]]:
        metric = METRICS[name]
        assert metric.kind == kind, f"{name} is defined as a {metric.kind}"
        return f"{self.prefix}_{name}", metric.meaning, metric.labels
