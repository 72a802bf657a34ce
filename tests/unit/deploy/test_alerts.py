"""The alert rules ask for metrics that there are, and lead to pages that there are."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.domain.log.witness_answers import Outcome
from audit.jobs import CheckpointPublisher, LogGauges, PayloadMonths, Sealer
from audit.jobs.witnesses import WitnessMeters
from chassis.consuming.metrics import ConsumerMetrics
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.reasons import RefusalReason
from reconciler.jobs.clocks import ClockMeters
from reconciler.jobs.sweeper import SweepMeters
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.metrics import SecretsCollector, register_metrics

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "deploy/alerts"
GROUPS: list[dict[str, Any]] = yaml.safe_load((ALERTS / "plumbline.rules.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]


NOWHERE = Database("postgresql://127.0.0.1:1/audit", application_name="audit")


def exposed() -> set[str]:
    metrics = Metrics("webhook-gateway")
    register_metrics(metrics, validation_enabled=True)
    metrics.registry.register(SecretsCollector(metrics, Sources({})))
    families = list(metrics.registry.collect())
    for service in ("booking", "audit", "reconciler"):
        consuming = Metrics(service)
        ConsumerMetrics(consuming).expect_losses(["webhooks.stripe.v1"])
        families += consuming.registry.collect()
    sealing = Metrics("audit")
    Sealer(NOWHERE, None, [], sealing)
    CheckpointPublisher(NOWHERE, None, [], sealing, interval_seconds=1, may_publish=lambda: False)
    LogGauges(NOWHERE, sealing)
    PayloadMonths(NOWHERE, sealing)
    families += sealing.registry.collect()
    sweeping = Metrics("reconciler")
    SweepMeters(sweeping)
    ClockMeters(sweeping)
    families += sweeping.registry.collect()
    witnessed = Metrics("audit")
    WitnessMeters(witnessed, ["w"])
    families += witnessed.registry.collect()
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_asks_for_metrics_and_outcomes_that_there_are(rule: dict[str, Any]) -> None:
    asked = set(re.findall(r"(?:webhook_gateway|booking|audit|reconciler)_\w+", rule["expr"]))
    assert asked
    assert asked <= exposed()
    for pattern in re.findall(r'outcome=~"([^"]+)"', rule["expr"]):
        for part in pattern.split("|"):
            assert any(re.fullmatch(part, value) for value in (*RefusalReason, *Outcome)), part


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert (ROOT / rule["annotations"].get("runbook", "README.md")).is_file()


def test_rules_fire_when_they_shall_and_only_then() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: it comes with Prometheus, put it on PATH to run this")
    done = subprocess.run(
        [promtool, "test", "rules", ALERTS / "plumbline.test.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
