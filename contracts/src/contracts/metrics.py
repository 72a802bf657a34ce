"""The metrics of all services: kind, name, labels, meaning. A new metric or label goes here first.

`chassis.observability.metrics` makes the metrics of a service from this list.
A test compares `docs/telemetry.md` with the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        kind: of Prometheus.
        name: without the service's prefix, and without the `_total` that a counter gets.
        labels: their values come from configuration, route templates and closed lists only.
        meaning: one line, shown at `/metrics`.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    labels: tuple[str, ...]
    meaning: str


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
    Metric("gauge", "lag_messages", ("topic", "partition"), "records not yet committed, as of the last poll"),
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
    "audit": (
        Metric("counter", "entries", ("status",), "EventLog entries appended"),
        Metric("counter", "duplicates", (), "messages of known events, which add no entry"),
        Metric(
            "counter",
            "conflicts",
            (),
            "known event ids that came with another body, and versions that came with another status",
        ),
        Metric(
            "gauge",
            "history_gaps",
            ("state",),
            "status histories that wait for a version, `waiting` or `reported`",
        ),
        Metric(
            "gauge",
            "log_incomplete_seconds",
            (),
            "how far `complete_until` of the EventLog is behind the clock (`docs/event-log.md`)",
        ),
        Metric("gauge", "sealed_entries", (), "entries that the newest signed checkpoint covers"),
        Metric("gauge", "unsealed_entries", (), "entries that are not sealed yet; counted up to 10000"),
        Metric(
            "gauge", "unsealed_oldest_seconds", (), "age of the oldest entry that is not sealed; 0 if all are"
        ),
        Metric(
            "histogram",
            "seal_lag_seconds",
            (),
            "from recording an entry to the signature over it; of the oldest entry of each round",
        ),
        Metric("counter", "seal_refusals", (), "times that the sealer refused to continue the log"),
        Metric(
            "gauge",
            "sealing_refused",
            (),
            "1 while the sealer refuses to continue the log; readiness says why",
        ),
        Metric(
            "gauge",
            "checkpoint_age_seconds",
            (),
            "age of the newest published checkpoint; grows while nothing is appended",
        ),
        Metric(
            "gauge",
            "checkpoint_waiting_seconds",
            ("place",),
            "for how long publishing to the `directory` or the `topic` has failed; 0 while it works",
        ),
        Metric(
            "gauge",
            "payload_months_ahead",
            (),
            "months after this one that have a partition of payloads; 3 while the service runs",
        ),
        Metric(
            "gauge",
            "payloads_outside_months",
            (),
            "payloads in the default partition, because their month had no partition (`docs/privacy.md`)",
        ),
        Metric(
            "gauge",
            "payload_rewrites_due",
            (),
            "tables whose files still have the bytes of erased rows (`docs/privacy.md`)",
        ),
        Metric(
            "gauge",
            "search_unindexed_entries",
            (),
            "entries behind the search index, which a search reads one by one",
        ),
        Metric("gauge", "streams_open", (), "live streams of the EventLog that this process serves"),
    ),
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
