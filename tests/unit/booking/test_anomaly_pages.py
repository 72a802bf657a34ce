"""Pages for operators explain each kind of payment anomaly."""

import re
from pathlib import Path

from booking.domain.payments import Anomaly, NotApplied
from reconciler.domain.stripe_comparison import MISMATCH_KINDS

ROOT = Path(__file__).parents[3]


def test_runbook_has_a_row_for_each_kind() -> None:
    page = (ROOT / "deploy/runbooks/payment-anomalies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted([*Anomaly, *NotApplied, *MISMATCH_KINDS])
