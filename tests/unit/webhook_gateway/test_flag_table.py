"""The flag table of GW-8, cell by cell, as a pure function."""

import pytest

from contracts.reasons import RefusalReason
from unit.webhook_gateway.signed_deliveries import NOW
from webhook_gateway.domain.flag_table import AcceptedDelivery, Refusal, Verification, classify, refuse
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import Verified

GOOD = Verified("stripe", NOW, None)
BAD_SIGNATURES = [
    RefusalReason.SIGNATURE_MISSING,
    RefusalReason.SIGNATURE_MALFORMED,
    RefusalReason.SIGNATURE_MISMATCH,
    RefusalReason.TIMESTAMP_OUTSIDE_WINDOW,
]
STRIPE, OTHERS = True, False
ON, OFF = True, False


@pytest.mark.parametrize("reason", BAD_SIGNATURES)
@pytest.mark.parametrize(
    ("always_verified", "flag", "expected"),
    [(STRIPE, ON, (401, True)), (STRIPE, OFF, (400, False)), (OTHERS, ON, (401, True)), (OTHERS, OFF, None)],
)
def test_bad_signature_is_answered_by_the_table(
    reason: RefusalReason, always_verified: bool, flag: bool, expected: tuple[int, bool] | None
) -> None:
    judged = classify(Refused(reason), validation_enabled=flag, always_verified=always_verified)
    if expected is None:
        assert judged == AcceptedDelivery(Verification.UNVERIFIED, unverified_because=reason)
    else:
        assert judged == Refusal(reason, *expected)


@pytest.mark.parametrize(
    ("always_verified", "flag", "expected"),
    [(STRIPE, ON, (500, True)), (STRIPE, OFF, (500, False)), (OTHERS, ON, (500, True)), (OTHERS, OFF, None)],
)
def test_our_missing_secret_is_answered_by_the_table(
    always_verified: bool, flag: bool, expected: tuple[int, bool] | None
) -> None:
    reason = RefusalReason.SECRET_NOT_CONFIGURED
    judged = classify(Refused(reason), validation_enabled=flag, always_verified=always_verified)
    passed = AcceptedDelivery(Verification.UNVERIFIED, unverified_because=reason)
    assert judged == (passed if expected is None else Refusal(reason, *expected))


@pytest.mark.parametrize("always_verified", [STRIPE, OTHERS])
@pytest.mark.parametrize("flag", [ON, OFF])
def test_good_delivery_passes_verified_in_every_cell(always_verified: bool, flag: bool) -> None:
    assert classify(GOOD, validation_enabled=flag, always_verified=always_verified) == AcceptedDelivery(
        Verification.VERIFIED
    )


@pytest.mark.parametrize("reason", RefusalReason)
@pytest.mark.parametrize("flag", [ON, OFF])
def test_no_refusal_answers_what_senders_take_as_final(reason: RefusalReason, flag: bool) -> None:
    refusal = refuse(reason, validation_enabled=flag)
    assert 400 <= refusal.status <= 599
    assert refusal.status != 410
    assert refusal.status != 401 or flag
    assert not refusal.on_record or flag


def test_our_own_state_is_never_on_record() -> None:
    recorded = {r for r in RefusalReason if refuse(r, validation_enabled=True).on_record}
    ours = {RefusalReason.BROKER_UNAVAILABLE, RefusalReason.OVERLOADED}
    assert recorded == set(RefusalReason) - ours
