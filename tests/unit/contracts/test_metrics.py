"""The list of metrics is whole: a service makes each metric, and the page for operators shows all of them."""

import re
from pathlib import Path

import pytest

from chassis.dead_letters import limits
from chassis.dead_letters import metrics as dead_letter_metrics
from chassis.observability.metrics import Metrics
from chassis.relay import metrics as relay_metrics
from contracts.metrics import METRICS, SERVICE_METRICS, SHARED_METRICS, Metric

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/telemetry.md"
SOURCES = "\n".join(
    path.read_text() for folder in ("libs/chassis/src", "services") for path in (ROOT / folder).rglob("*.py")
)


def row(metric: Metric, prefix: str) -> str:
    labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
    total = "_total" if metric.kind == "counter" else ""
    return f"| `{prefix}_{metric.name}{total}{labels}` | {metric.kind} | {metric.meaning} |"


def test_page_shows_all_metrics() -> None:
    expected = [row(metric, "…") for metric in SHARED_METRICS]
    for service, metrics in SERVICE_METRICS.items():
        expected += [row(metric, service.replace("-", "_")) for metric in metrics]
    assert (
        re.findall(r"^.* \| (?:counter|gauge|histogram) \| .*$", PAGE.read_text(), re.MULTILINE) == expected
    )


def test_no_two_metrics_have_one_name() -> None:
    assert len(METRICS) == len(SHARED_METRICS) + sum(map(len, SERVICE_METRICS.values()))


@pytest.mark.parametrize("name", METRICS)
def test_metric_is_made_somewhere(name: str) -> None:
    assert re.search(
        rf"\.(counter|gauge|gauge_family|tally|seconds|histogram)\(\s*\"{name}\"\s*[,)]", SOURCES
    )


def test_metric_that_is_not_defined_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        Metrics("sample").counter("unheard_of")
    with pytest.raises(AssertionError):
        Metrics("sample").gauge("dead_letters")


@pytest.mark.parametrize(
    ("name", "rows_max"),
    [
        ("dead_letters_waiting", dead_letter_metrics.COUNTED_ROWS_MAX),
        ("dead_letters_lines_waiting", limits.KEYS_MAX),
        ("outbox_unsent_rows", relay_metrics.COUNTED_ROWS_MAX),
    ],
)
def test_meaning_names_the_bound_of_the_count(name: str, rows_max: int) -> None:
    assert f"counted up to {rows_max}" in METRICS[name].meaning
