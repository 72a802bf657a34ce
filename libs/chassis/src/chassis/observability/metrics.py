"""Prometheus metrics. Names begin with the service's, label sets are bounded (ALL-5).

What is counted for every request or message is counted in `Tally` and `Durations`: by the event loop's thread
alone, so without a lock, at a fifth of what the library's own counters cost. The library makes text of both.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from chassis import __version__
from contracts.metrics import METRICS

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

CONTENT_TYPE = "text/plain; version=0.0.4"
"""Litestar adds the character set."""


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

    def tally(self, name: str) -> "Tally":
        """Return a new counter that is cheap and counts in the event loop only."""
        tally = Tally(*self._definition("counter", name))
        self.registry.register(tally)
        return tally

    def seconds(self, name: str) -> "Durations":
        """Return a new histogram of seconds that measures in the event loop only."""
        durations = Durations(*self._definition("histogram", name))
        self.registry.register(durations)
        return durations

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _definition(self, kind: str, name: str) -> tuple[str, str, tuple[str, ...]]:
        metric = METRICS[name]
        assert metric.kind == kind, f"{name} is defined as a {metric.kind}"
        return f"{self.prefix}_{name}", metric.meaning, metric.labels


class Tally(Collector):
    """Counts by label values.

    Args:
        name: in full, but for `_total`.
        meaning: one line.
        labels: their names.
    """

    def __init__(self, name: str, meaning: str, labels: tuple[str, ...]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._counts = defaultdict[tuple[str, ...], int](int)

    def count(self, *values: str) -> None:
        """One more of those with these label values."""
        self._counts[values] += 1

    def expect(self, *values: str) -> None:
        """Tell 0 until there is one: Prometheus sees no increase in a count that begins with its first."""
        self._counts.setdefault(values, 0)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """All counts, as the library wants them."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        yield family


class Durations(Collector):
    """A histogram by label values.

    Args:
        name: in full.
        meaning: one line.
        labels: their names.
    """

    def __init__(self, name: str, meaning: str, labels: tuple[str, ...]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._series = defaultdict[tuple[str, ...], _Series](_Series)
        if not labels:
            self._series[()]  # told before anything is measured, as the library does

    def observe(self, seconds: float, *values: str) -> None:
        """One more, that took so long."""
        series = self._series[values]
        series.counts[bisect_left(SECONDS_BUCKETS, seconds)] += 1
        series.seconds += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """All buckets, each holding those below it too, as the library wants them."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        bounds = [*map(str, SECONDS_BUCKETS), "+Inf"]
        for values, series in self._series.items():
            buckets = list(zip(bounds, accumulate(series.counts), strict=True))
            family.add_metric(values, buckets, series.seconds)
        yield family


class _Series:
    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS_BUCKETS) + 1)
        self.seconds = 0.0
