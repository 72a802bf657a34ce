"""Evaluation of a page of bookings, each by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.domain.bookings import StoredBooking, UnreadableBooking
from reconciler.domain.evaluate import Evaluation, evaluate
from reconciler.domain.findings import Finding, cancelled_but_paid, finding_of_price, not_evaluable
from reconciler.domain.obstacles import Errored, error_line, record_error
from reconciler.domain.rules import Rules


@dataclass(slots=True)
class PageResults:
    """Results of a page. Its bookings are added slice by slice, and only what they gave is kept."""

    evaluations: list[Evaluation] = field(default_factory=list[Evaluation])
    errored: list[Errored] = field(default_factory=list[Errored])
    findings: list[Finding] = field(default_factory=list[Finding])

    def evaluate(
        self, stored: Sequence[StoredBooking | UnreadableBooking], rules: Rules, *, as_of: datetime
    ) -> None:
        """Evaluate more bookings; one that fails does not affect the others (REC-12)."""
        for booking in stored:
            if isinstance(booking, UnreadableBooking):
                self._add_error(Errored(booking.booking_id, error_line(booking.error), "row_unreadable"))
                continue
            try:
                evaluation = evaluate(booking, rules, as_of=as_of)
                findings = _findings(evaluation) if evaluation.findings or evaluation.held else ()
            except Exception as error:  # noqa: BLE001 - any error is recorded for this booking
                self._add_error(record_error(booking.booking_id, error))
                continue
            self.evaluations.append(evaluation)
            if findings:
                self.findings += findings

    def _add_error(self, errored: Errored) -> None:
        self.errored.append(errored)
        self.findings.append(not_evaluable(errored))


def _findings(evaluation: Evaluation) -> list[Finding]:
    findings = [finding_of_price(price) for price in evaluation.findings]
    return findings if evaluation.held is None else [*findings, cancelled_but_paid(evaluation.held)]
