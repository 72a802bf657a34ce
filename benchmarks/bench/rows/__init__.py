"""The rows that can be run, by name."""

from collections.abc import Mapping

from bench.row import Row
from bench.rows import (
    audit,
    audit_verify,
    booking,
    bulk,
    end_to_end,
    gateway_forged,
    gateway_hot_key,
    gateway_latency,
    gateway_overload,
    gateway_saturation,
    log_reading,
    outbox_held_snapshot,
    outbox_relay,
    queue,
    reconcile,
)

ROWS: Mapping[str, Row] = {
    row.name.upper(): row
    for row in (
        gateway_saturation.SATURATION_ROW,
        gateway_saturation.PLATFORM_ROW,
        gateway_saturation.TAX_ROW,
        gateway_latency.ROW,
        gateway_hot_key.ROW,
        gateway_overload.ROW,
        gateway_forged.ROW,
        outbox_relay.ROW,
        outbox_held_snapshot.ROW,
        booking.TRANSITION_ROW,
        booking.DRAIN_ROW,
        booking.BATCH_ROW,
        audit_verify.ROW,
        reconcile.RATE_ROW,
        reconcile.MEMORY_ROW,
        reconcile.IMPACT_ROW,
        reconcile.RECALL_ROW,
        audit.APPEND_ROW,
        audit.LAG_ROW,
        bulk.ROW,
        queue.ROW,
        log_reading.ROW,
        end_to_end.ROW,
    )
}
