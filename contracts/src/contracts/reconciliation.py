"""Requests to reconcile, and their results (REC-1, REC-7)."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.money import Money
from contracts.wire import UtcDatetime, WireModel

RunTrigger = Literal["schedule", "api", "cli"]
Severity = Literal["high", "medium", "low"]
DriftClass = Literal["engine_drift", "charge_mismatch", "snapshot_corrupt", "all_differ"]
EXCEPTION_TYPES = (
    "pricing_drift",
    "not_charged",
    "duplicate_charge",
    "currency_mismatch",
    "cancelled_but_paid",
    "not_evaluable",
    "payment_anomaly",
    "identity_conflict",
    "delivery_missed",
    "offer_ambiguous",
)
# Not an enum: further types are added inside v1, and a consumer must take one that it does not know.
ExceptionType = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(EXCEPTION_TYPES)})]


class RunRequested(WireModel):
    """Command: reconcile. Sent by schedule, API and CLI alike; the run id makes it idempotent.

    `slot` is the scheduled moment, which any number of replicas request once; None for API and CLI.
    `scope` is what the run reads: all, booking:<id>, since:<time> or month:<year>-<month>. A dry run writes
    its findings to a list of its own, and nothing to the queue.
    """

    run_id: str
    trigger: RunTrigger
    slot: UtcDatetime | None
    requested_by: str
    requested_at: UtcDatetime
    scope: str = "all"
    dry_run: bool = False


class RunStarted(WireModel):
    """A run began to read."""

    run_id: str
    trigger: RunTrigger
    slot: UtcDatetime | None
    started_at: UtcDatetime
    scope: str = "all"
    dry_run: bool = False


class RunCompleted(WireModel):
    """A run read everything. Drift found is a success; scanned = clean + drifted + skipped + errored."""

    run_id: str
    scanned: int
    clean: int
    drifted: int
    skipped: int
    errored: int
    finished_at: UtcDatetime
    scope: str = "all"
    dry_run: bool = False


class RunFailed(WireModel):
    """A run could not read everything; its findings until then stay."""

    run_id: str
    error: str
    finished_at: UtcDatetime


class RunCancelled(WireModel):
    """A run was cancelled before it had read everything; its findings until then stay."""

    run_id: str
    cancelled_by: str
    scanned: int
    clean: int
    drifted: int
    skipped: int
    errored: int
    finished_at: UtcDatetime


class SlotsSkipped(WireModel):
    """No process ran at these times of the schedule (REC-1).

    `slots` counts them, from `first_slot` to `last_slot`. `made_up_by` is the run of the next time; it reads
    everything; None if that one was missed longer ago than allowed, too.
    """

    first_slot: UtcDatetime
    last_slot: UtcDatetime
    slots: int
    made_up_by: str | None
    noticed_at: UtcDatetime


class LineDifference(WireModel):
    """One line item, in minor units; the differences of all lines add up to the total's (REC-6)."""

    code: str
    snapshot: int
    recomputed: int
    difference: int


class DriftDetected(WireModel):
    """A booking's stored price is not what it should be (REC-4, REC-5).

    snapshot is A, recomputed B, charged C (None: nothing charged yet), all in one currency. drift is
    B minus A; charge_difference is C minus B. Severity follows the larger of the two.
    """

    run_id: str
    booking_id: str
    drift_class: DriftClass
    severity: Severity
    drift: Money
    charge_difference: Money | None
    snapshot: Money
    recomputed: Money
    charged: Money | None
    lines: list[LineDifference]
    detected_at: UtcDatetime


class BookingErrored(WireModel):
    """One booking could not be evaluated; the run went on (REC-12)."""

    run_id: str
    booking_id: str
    error: str
    detected_at: UtcDatetime


class ExceptionOpened(WireModel):
    """A finding for a person; one open exception per type, booking and fingerprint (REC-8)."""

    exception_id: str
    exception_type: ExceptionType
    booking_id: str | None
    severity: Severity
    title: str
    fingerprint: str
    opened_at: UtcDatetime


class ExceptionResolved(WireModel):
    """An exception was closed: by a person, or by a run without the finding.

    `resolution` of a run: "fixed", or "not_evaluated" if no run evaluates the booking any more. `reason` is
    one line; None from an older producer.
    """

    exception_id: str
    exception_type: ExceptionType
    booking_id: str | None
    resolution: str
    actor: str
    resolved_at: UtcDatetime
    reason: str | None = None


EXCEPTION_STEPS = (
    "waits",
    "revised",
    "escalated",
    "regressed",
    "woke",
    "acknowledged",
    "assigned",
    "suppressed",
    "proposed",
    "reopened",
    "commented",
    "reverted",
)
# Not an enum, like the types.
ExceptionStep = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(EXCEPTION_STEPS)})]
EXCEPTION_STATUSES = ("open", "acknowledged", "suppressed", "resolved")
ExceptionStatus = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(EXCEPTION_STATUSES)})]


class ExceptionChanged(WireModel):
    """A step of an exception other than its opening and its resolution (REC-9).

    The members are as they are after the step. `revision` counts what a person sees, `version` the steps.
    `reason` is one line, also the text of a comment; empty if the step needs none.
    """

    exception_id: str
    exception_type: ExceptionType
    booking_id: str | None
    step: ExceptionStep
    status: ExceptionStatus
    severity: Severity
    assignee: str | None
    revision: int
    version: int
    actor: str
    reason: str
    changed_at: UtcDatetime


class ExceptionOverdue(WireModel):
    """An exception waits for people longer than its severity allows (REC-9c).

    Published once per round of work and clock.
    `clock` is the time to acknowledge or to resolve. A round of work ends with a resolution. The clock stands
    still while the exception is suppressed or waiting.
    """

    exception_id: str
    exception_type: ExceptionType
    booking_id: str | None
    clock: Literal["acknowledge", "resolve"]
    severity: Severity
    status: ExceptionStatus
    assignee: str | None
    due_at: UtcDatetime
    noticed_at: UtcDatetime


class WebhookMissed(WireModel):
    """An event of a provider was never delivered; the sweep of its event list found it (REC-13).

    The sweep publishes the event itself to `webhooks.stripe.v1`. `event_id`, `event_type` and `occurred_at`
    are the provider's; `booking_id` is the booking that the event names.
    """

    provider: str
    event_id: str
    event_type: str
    booking_id: str | None
    occurred_at: UtcDatetime
    sweep_id: str
    found_at: UtcDatetime


OPERATION_ACTIONS = ("acknowledge", "assign", "resolve", "reopen", "suppress", "comment")
OperationAction = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(OPERATION_ACTIONS)})]
OPERATION_ENDS = ("applied", "reverted", "failed")
OperationEnd = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(OPERATION_ENDS)})]


class OperationFinished(WireModel):
    """A bulk operation on exceptions was applied, was taken back, or failed (REC-9b).

    selected = pending + stepped + unchanged + refused + reverted + not_reverted. `pending` is 0 unless the
    operation failed. Each step is published on its own, as the exception's.
    """

    operation_id: str
    action: OperationAction
    status: OperationEnd
    actor: str
    selected: int
    pending: int
    stepped: int
    unchanged: int
    refused: int
    reverted: int
    not_reverted: int
    started_at: UtcDatetime
    finished_at: UtcDatetime
