"""The doctor's findings from the gateway's metrics."""

from math import inf

from plumbline.doctor import gateway

NOW = 1_800_000_000.0
DAY = 86_400
LABELS = {"source": "stripe", "scheme": "stripe", "variable": "STRIPE_WEBHOOK_SECRET"}


def lines(
    *,
    live: float = 1,
    ends: float = inf,
    loaded: float = 1,
    outcomes: dict[str, float] | None = None,
    unverified: float = 0,
) -> list[str]:
    samples = [
        ("webhook_gateway_secrets_live", LABELS, live),
        *([("webhook_gateway_secrets_end_timestamp_seconds", LABELS, ends)] if ends < inf or live else []),
        ("webhook_gateway_unverified_total", {"source": "stripe", "reason": "signature_missing"}, unverified),
        *(
            ("webhook_gateway_requests_total", {"source": "stripe", "outcome": outcome}, count)
            for outcome, count in (outcomes or {}).items()
        ),
        ("webhook_gateway_requests_total", {"source": "unknown", "outcome": "source_unknown"}, 9),
        ("webhook_gateway_reload_ok", {}, loaded),
    ]
    return [finding.line for finding in gateway.evaluate(samples, NOW)]


def test_all_is_well() -> None:
    assert lines(live=2, outcomes={"verified": 100, "signature_mismatch": 2}) == [
        "ok     secrets of stripe: 2 active",
        "ok     deliveries of stripe: 102, 2 of them refused for their signature",
        "ok     files of secrets and sources",
    ]


def test_no_secret_is_wrong_once_a_delivery_needs_one() -> None:
    assert (
        lines(live=0)[0]
        == "ok     secrets of stripe: none; to verify its deliveries set STRIPE_WEBHOOK_SECRET"
    )
    assert lines(live=0, outcomes={"secret_not_configured": 4})[0] == (
        "WRONG  secrets of stripe: none is active, 4 deliveries were answered 500: set STRIPE_WEBHOOK_SECRET"
    )


def test_secret_that_ends_soon_is_wrong() -> None:
    assert lines(ends=NOW + 3 * DAY)[0] == "ok     secrets of stripe: 1 active"
    assert lines(ends=NOW + 2.5 * DAY)[0] == (
        "WRONG  secrets of stripe: the last one ends in 2.5 days: add a new one,"
        " deploy/runbooks/secret-rotation.md"
    )


def test_secrets_that_have_all_ended_are_wrong() -> None:
    assert lines(live=0, ends=NOW - 1)[0] == (
        "WRONG  secrets of stripe: all have ended: add a new one, deploy/runbooks/secret-rotation.md"
    )


def test_deliveries_that_the_flag_would_refuse_are_noted() -> None:
    assert lines(outcomes={"unverified": 4, "verified": 1}, unverified=4)[1] == (
        "ok     deliveries of stripe: 5, 0 of them refused for their signature, 4 accepted unverified,"
        " most of these for signature_missing"
    )


def test_provider_that_is_refused_is_wrong_and_a_few_forgeries_are_not() -> None:
    assert lines(outcomes={"signature_mismatch": 2})[1].startswith("ok")
    assert lines(outcomes={"verified": 3, "signature_mismatch": 3})[1].startswith("ok")
    assert lines(outcomes={"verified": 3, "signature_mismatch": 3, "signature_missing": 1})[1] == (
        "WRONG  deliveries of stripe: 4 of 7 were refused, most as signature_mismatch:"
        " deploy/runbooks/verification-failures.md"
    )


def test_rejected_files_are_wrong() -> None:
    assert lines(loaded=0)[-1].startswith("WRONG  files of secrets and sources: were rejected")
