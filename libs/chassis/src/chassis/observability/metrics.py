"""Prometheus metrics. Names begin with the service's, label sets are bounded (ALL-5).

What is counted for every request or message is counted in `Tally` and `Durations`: by the event loop's thread
alone, so without a lock, at a fifth of what the library's own counters cost. The library makes text of both.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

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

    def tally(self, name: str, meaning: str, *labels: str) -> "Tally":
        """The same, counted very often and in the event loop only."""
        tally = Tally(f"{self.prefix}_{name}", meaning, labels)
        self.registry.register(tally)
        return tally

    def seconds(self, name: str, meaning: str, *labels: str) -> "Durations":
        """Durations in seconds, measured in the event loop only; the name ends in `_seconds`."""
        durations = Durations(f"{self.prefix}_{name}", meaning, labels)
        self.registry.register(durations)
        return durations

    def expose(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)


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
