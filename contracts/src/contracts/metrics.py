"""The metrics of all services: kind, name, labels, meaning. A new metric or label goes here first.

`chassis.observability.metrics` makes the metrics of a service from this list.
A test compares `docs/telemetry.md` with the list.
"""

from collections.abc import Mapping

from contracts.audit_metrics import AUDIT_METRICS
from contracts.metric import Metric

__all__ = ["METRICS", "SERVICE_METRICS", "SHARED_METRICS", "Metric"]


SHARED_METRICS = (
    # The process.
    Metric("gauge", "build_info", ("version",), "always 1; the label is the running version"),
    # HTTP.
    Metric(
        "counter",
        "http_requests",
        ("method", "route", "status"),
        "HTTP requests by route template; one without a route is `unmatched`; 499: the caller left",
    ),
    Metric("histogram", "http_request_seconds", ("route",), "from an HTTP request to its answer"),
    Metric("counter", "access_refusals", ("reason",), "requests that authentication refused"),
    # Kafka and PostgreSQL.
    Metric("histogram", "publish_seconds", (), "from handing records to Kafka's client to the last ack"),
    Metric("gauge", "postgres_connections_in_use", ("pool",), "connections lent out by the pool"),
    Metric("gauge", "postgres_connections_max", ("pool",), "connections that the pool may have at most"),
    # Consuming.
    Metric("counter", "messages_handled", ("topic", "outcome"), "messages consumed, by outcome"),
    Metric("histogram", "batch_seconds", (), "from a batch's arrival to its commit"),
    Metric(
        "histogram", "since_sent_seconds", ("topic",), "from a record's timestamp to the commit of its effect"
    ),
    Metric("gauge", "lag_messages", ("topic", "partition"), "records not yet handled"),
    Metric(
        "gauge",
        "oldest_unhandled_seconds",
        ("topic", "partition"),
        "age of the oldest record in memory that is not committed; 0 if there is none",
    ),
    Metric(
        "counter", "messages_lost", ("topic",), "offsets of records that Kafka deleted before they were read"
    ),
    Metric("counter", "dead_letters", ("reason",), "messages set aside"),
    Metric(
        "gauge",
        "dead_letters_waiting",
        ("reason",),
        "messages set aside that wait for an operator; counted up to 10000",
    ),
    Metric(
        "gauge", "dead_letters_oldest_seconds", (), "age of the oldest waiting dead letter; 0 if none waits"
    ),
    Metric(
        "gauge", "dead_letters_lines_waiting", (), "ordering keys blocked by dead letters; counted up to 1000"
    ),
    # Inbox and outbox.
    Metric(
        "counter",
        "identity_conflicts",
        (),
        "messages with the id of an earlier event and another body; none is applied",
    ),
    Metric("counter", "idempotent_requests_removed", (), "stored answers deleted after their retention"),
    Metric("counter", "inbox_rows_removed", (), "inbox rows deleted after their retention"),
    Metric("counter", "outbox_published", (), "outbox rows acknowledged by the broker"),
    Metric("gauge", "outbox_unsent_rows", ("shard",), "events not yet sent; counted up to 1000 per shard"),
    Metric("gauge", "outbox_oldest_unsent_seconds", ("shard",), "age of the oldest unsent event"),
    Metric("gauge", "outbox_owned_shards", (), "shards of the outbox that this process owns"),
    Metric(
        "gauge",
        "outbox_unowned_shards",
        (),
        "shards of the outbox that no relay has owned for ten seconds: their events wait, and readiness and"
        " `plumbline doctor` name the session that holds them",
    ),
    Metric(
        "gauge",
        "outbox_held_back",
        ("topic", "kind"),
        "ordering keys held back behind a record that Kafka refuses; 1 if a whole topic is held back",
    ),
)
"""Of the chassis: a service has those of the wings that it uses."""

SERVICE_METRICS: Mapping[str, tuple[Metric, ...]] = {
    "webhook-gateway": (
        Metric(
            "counter",
            "requests",
            ("source", "outcome"),
            "deliveries by outcome: `verified`, `unverified`, `disconnected` or a refusal reason",
        ),
        Metric(
            "counter",
            "unverified",
            ("source", "reason"),
            "deliveries accepted unverified, by the reason for which validation would have refused them",
        ),
        Metric("gauge", "requests_in_flight", (), "deliveries in flight"),
        Metric("gauge", "bodies_bytes", (), "bytes of request bodies in memory"),
        Metric("gauge", "validation_enabled", (), "1 while ENABLE_WEBHOOK_VALIDATION is `true`"),
        Metric(
            "gauge", "secrets_live", ("source", "scheme", "variable"), "secrets that may sign deliveries now"
        ),
        Metric(
            "gauge",
            "secrets_end_timestamp_seconds",
            ("source", "scheme", "variable"),
            "Unix time at which the last secret ends or has ended; +Inf: never",
        ),
        Metric("gauge", "reload_ok", (), "1 while the loaded secrets are those of the files"),
        Metric(
            "gauge",
            "reloaded_timestamp_seconds",
            (),
            "Unix time at which secrets and sources were last loaded",
        ),
        Metric(
            "counter",
            "refusals_suppressed",
            ("source",),
            "refusals counted in a summary instead of published one by one",
        ),
        Metric(
            "counter",
            "refusals_unpublished",
            (),
            "refusals missing from the record because the broker was away for too long",
        ),
        Metric("gauge", "refusals_waiting", (), "refusals waiting to be published"),
    ),
    "booking": (
        Metric(
            "counter",
            "events_not_applied",
            ("reason",),
            "Stripe events not applied: of another mode or account, or without their object",
        ),
    ),
    "audit": AUDIT_METRICS,
    "reconciler": (
        Metric("counter", "bookings_checked", ("outcome",), "bookings evaluated by runs"),
        Metric("counter", "runs_completed", (), "runs that read every booking"),
        Metric(
            "gauge",
            "exceptions_open",
            ("type", "severity"),
            "exceptions that people have to work on; not waiting",
        ),
        Metric(
            "gauge",
            "exceptions_overdue",
            ("clock", "severity"),
            "exceptions whose time to `acknowledge` or to `resolve` is over",
        ),
        Metric(
            "histogram",
            "exception_acknowledge_seconds",
            ("severity",),
            "time that exceptions waited until their first acknowledgement, without pauses",
        ),
        Metric(
            "histogram",
            "exception_resolve_seconds",
            ("severity",),
            "time that exceptions waited until their resolution, without pauses",
        ),
        Metric("counter", "sweeps_completed", (), "Stripe sweeps that read every list"),
        Metric("counter", "sweeps_failed", (), "Stripe sweeps that were given up"),
        Metric("counter", "swept_events", ("outcome",), "events of Stripe's list: known, pending or missed"),
        Metric("counter", "sweep_mismatches", (), "payments that Stripe and booking count differently"),
        Metric(
            "gauge",
            "sweep_covered_timestamp_seconds",
            (),
            "Unix time up to which finished sweeps have read Stripe's events; before the first one, the time"
            " since when it is due; 0: no sweep, because there is no key",
        ),
        Metric(
            "counter",
            "operation_items",
            ("outcome",),
            "exceptions that bulk operations have worked on, by outcome",
        ),
        Metric(
            "counter",
            "operations_ended",
            ("status",),
            "bulk operations that ended, as `applied`, `reverted` or `failed`",
        ),
    ),
}
"""Service → its own metrics."""

METRICS: Mapping[str, Metric] = {
    metric.name: metric for metrics in (SHARED_METRICS, *SERVICE_METRICS.values()) for metric in metrics
}
"""Name → metric."""
