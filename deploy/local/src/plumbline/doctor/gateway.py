"""Check the webhook gateway: which secrets are active, for how long, and whether deliveries are refused."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf, isfinite, isnan
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from chassis import clock
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.service_process import loopback_client

GATEWAY = "webhook-gateway"
DAYS_LEFT_MIN = 3
"""A secret that ends sooner needs a successor now: the sender needs time to change it too."""
REFUSED_MIN = 3
ROTATE = "deploy/runbooks/secret-rotation.md"
FAILURES = "deploy/runbooks/verification-failures.md"

_INTERNAL = "WEBHOOK_GATEWAY_INTERNAL_PORT"
_NOT_PUBLIC = Finding(f"metrics of {GATEWAY}", note=f"not on the public port: to check them set {_INTERNAL}")
_FOREIGN = Finding(f"metrics of {GATEWAY}", "are not the gateway's: is the server there the gateway?")

Samples = Iterable[tuple[str, Mapping[str, str], float]]
"""Name, labels, value."""


@dataclass(slots=True)
class _Source:
    variables: list[str] = field(default_factory=list[str])
    live: float = 0
    ends: float = -inf
    outcomes: Counter[str] = field(default_factory=Counter[str])
    # by the reason for which ENABLE_WEBHOOK_VALIDATION would refuse them
    unverified: Counter[str] = field(default_factory=Counter[str])


async def gateway(target: Target) -> list[Finding]:
    """Check the gateway's metrics. Return nothing if the gateway does not answer: another finding says so."""
    if GATEWAY not in target.urls:
        return []
    try:
        async with loopback_client() as client:
            response = await client.get(f"{_metrics_base(target.urls[GATEWAY])}/metrics")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return [_NOT_PUBLIC]
        families = list(text_string_to_metric_families(response.text))
    except (httpx.HTTPError, httpx.InvalidURL):
        return []
    except ValueError:
        return [_FOREIGN]
    return evaluate(
        [(s.name, s.labels, s.value) for family in families for s in family.samples], clock.now().timestamp()
    )


def _metrics_base(url: str) -> str:
    """Return the gateway's base URL with the internal port, if the environment sets one."""
    port = os.environ.get(_INTERNAL, "")
    host = urlsplit(url).hostname or ""
    return urlsplit(url)._replace(netloc=f"{host}:{port}").geturl() if port.isdecimal() else url


def evaluate(samples: Samples, now: float) -> list[Finding]:
    """Return two findings per source, for its secrets and its deliveries, and one for the files.

    Samples with other names, without their labels or with NaN as value are ignored. Without any sample of the
    gateway, the only finding says so.

    Args:
        samples: the metrics of the gateway.
        now: Unix time.
    """
    sources: defaultdict[str, _Source] = defaultdict(_Source)
    is_loaded: bool | None = None
    for name, labels, value in samples:
        match (name.removeprefix("webhook_gateway_"), labels):
            case (_, _) if isnan(value):
                pass
            case ("secrets_live", {"source": source, "variable": variable}):
                sources[source].variables.append(variable)
                sources[source].live += value
            case ("secrets_end_timestamp_seconds", {"source": source}):
                sources[source].ends = max(sources[source].ends, value)
            case ("requests_total", {"source": source, "outcome": outcome}) if isfinite(value):
                sources[source].outcomes[outcome] += int(value)
            case ("unverified_total", {"source": source, "reason": reason}) if isfinite(value):
                sources[source].unverified[reason] += int(value)
            case ("reload_ok", _):
                is_loaded = value == 1
            case _:
                pass
    if is_loaded is None:
        return [_FOREIGN]
    known = {name: source for name, source in sources.items() if source.variables}
    files = "" if is_loaded else f"were rejected, the previous ones stay active: see readiness and {ROTATE}"
    return [
        *(_secrets(name, source, now) for name, source in known.items()),
        *(_deliveries(name, source) for name, source in known.items()),
        Finding("files of secrets and sources", files),
    ]


def _secrets(name: str, source: _Source, now: float) -> Finding:
    subject = f"secrets of {name}"
    if not source.live and isfinite(source.ends):
        return Finding(subject, f"all have ended: add a new one, {ROTATE}")
    if not source.live:
        unverifiable = source.outcomes["secret_not_configured"]
        variables = " or ".join(source.variables)
        if unverifiable:
            return Finding(
                subject, f"none is active, {unverifiable} deliveries were answered 500: set {variables}"
            )
        return Finding(subject, note=f"none; to verify its deliveries set {variables}")
    days = (source.ends - now) / 86_400
    if days < DAYS_LEFT_MIN:
        return Finding(subject, f"the last one ends in {days:.1f} days: add a new one, {ROTATE}")
    return Finding(subject, note=f"{source.live:g} active")


def _deliveries(name: str, source: _Source) -> Finding:
    subject = f"deliveries of {name}"
    refused = {
        outcome: count
        for outcome, count in source.outcomes.items()
        if outcome.startswith("signature_") or outcome == "timestamp_outside_window"
    }
    total, refusals = sum(source.outcomes.values()), sum(refused.values())
    if refusals >= REFUSED_MIN and refusals > total / 2:
        most = max(refused, key=refused.__getitem__)
        return Finding(subject, f"{refusals} of {total} were refused, most as {most}: {FAILURES}")
    note = f"{total}, {refusals} of them refused for their signature"
    if unverified := sum(source.unverified.values()):
        most = max(source.unverified, key=source.unverified.__getitem__)
        note += f", {unverified} accepted unverified, most of these for {most}"
    return Finding(subject, note=note)
