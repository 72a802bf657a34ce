"""The form of a metric in the lists of `contracts.metrics`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        kind: of Prometheus.
        name: without the service's prefix, and without the `_total` that a counter gets.
        labels: their values come from configuration, route templates and closed lists only.
        meaning: one line, shown at `/metrics`.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    labels: tuple[str, ...]
    meaning: str
