"""The numbers of all advisory locks: a number has one meaning in a database.

PostgreSQL keeps two key spaces: one 64-bit number, or two 32-bit numbers. The other 64-bit keys are derived:
dead letters hash the consumer and the ordering key, requests with an Idempotency-Key hash their scope, and
`record_time()` of the audit log has the tag 0x504.
"""

DATABASE_SET_UP = 7_310_579_011
"""`plumbline databases apply`, in the server's administration database."""

MIGRATIONS = 7_310_579_006
"""The process that migrates a service's database."""

INBOX_RETENTION = 7_310_579_035
"""The replica that deletes old inbox rows."""

ANSWER_RETENTION = 7_310_579_041
"""The replica that deletes old answers of requests with an Idempotency-Key."""

RECONCILER_RUNS = 7_310_579_012
"""The process that executes reconciliation runs."""

RECONCILER_SWEEPS = 7_310_579_013
"""The process that executes sweeps."""

AUDIT_HISTORY_GAPS = 7_310_579_104
"""The replica that reports gaps of the status history."""

AUDIT_PAYLOAD_MONTHS = 7_310_579_119
"""The process that creates partitions of payloads. `add_payload_months()` of the audit log repeats it."""

AUDIT_SEALER = 7_310_579_105
"""The replica that seals the EventLog."""

AUDIT_ENTRY_BLOCKS = 7_310_579_118
"""The replica that fills the search index of the EventLog."""

AUDIT_WITNESSES = 7_310_579_106
"""The replica that asks witnesses for cosignatures."""

OUTBOX_RELAY = 7_310_579
"""First of two numbers; the second is a shard of the outbox, or OUTBOX_RELAY_MEMBERS."""

OUTBOX_RELAY_MEMBERS = 1_000
"""Second number of the lock that all running relays share: its holders are counted."""

EXTERNAL_OBJECTS = 7_310_580
"""First of two numbers; the second is the hash of an external object's id that has no row yet."""
