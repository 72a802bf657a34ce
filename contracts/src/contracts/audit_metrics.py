"""The metrics of audit; part of the list in `contracts.metrics`."""

from contracts.metric import Metric

AUDIT_METRICS = (
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
    Metric(
        "counter",
        "log_witness_requests",
        ("witness", "outcome"),
        "checkpoints for which a witness was asked, by outcome (`docs/witnesses.md`)",
    ),
    Metric(
        "gauge",
        "log_cosigned_age_seconds",
        (),
        "age of the newest checkpoint that the quorum of witnesses has cosigned; 0 if there is none",
    ),
    Metric(
        "gauge",
        "log_uncosigned_seconds",
        (),
        "how long the oldest checkpoint without a quorum of witnesses has waited; 0 if none waits",
    ),
)
