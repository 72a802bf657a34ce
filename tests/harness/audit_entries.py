"""Entries of the EventLog in bulk, written by SQL as the service writes them, with payloads and histories."""

from harness.databases import TestDatabase

TABLES = ("audit.event_log", "audit.event_payload", "audit.status_history")
WEBHOOK_BYTES = 3_000
ID_STEP = 2
"""Entry ids have gaps, as rolled back transactions leave them."""
_ROWS_PER_STATEMENT = 50_000

# Four entries a booking: its creation, a delivery of Stripe, the payment, the confirmation.
_NUMBERED = """
CREATE TEMP TABLE numbered ON COMMIT DROP AS
SELECT
    n, n % 4 AS step,
    '01900000-0000-7000-8000-' || lpad(to_hex(n / 4), 12, '0') AS booking_id,
    timestamptz '2026-11-01T00:00:00.000001Z' + n * interval '1 millisecond' AS moment
FROM generate_series($1::bigint, $2::bigint) AS n
"""
_BODIES = """
CREATE TEMP TABLE bodied ON COMMIT DROP AS
SELECT
    numbered.*,
    pg_catalog.sha256(int8send(n)) AS salt,
    convert_to(CASE step
        WHEN 0 THEN format(
            '{"booking_id":"%s","version":1,"status":"pending","service":"drop-in","total":{"amount":13200,'
            '"currency":"USD"},"changed_by":"system","recorded_at":"%s"}', booking_id, stamp)
        WHEN 1 THEN format('{"id":"evt_%s","type":"payment_intent.succeeded","x":"%s"}', n, repeat('x', $1))
        WHEN 2 THEN format('{"booking_id":"%s","provider":"stripe","payment":"pi_%s"}', booking_id, n)
        ELSE format(
            '{"booking_id":"%s","version":2,"from_status":"pending","to_status":"confirmed",'
            '"changed_by":"stripe","reason":null,"metadata":{"payment_id":"pi_%s"},"recorded_at":"%s"}',
            booking_id, n, stamp)
    END, 'UTF8') AS body
FROM numbered,
    LATERAL (SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS stamp) AS written
"""
_ENTRIES = """
INSERT INTO audit.event_log (
    entry_id, recorded_at, occurred_at, event_type, status, source, event_id, booking_id, actor, metadata,
    topic, partition, record_offset, correlation_id, causation_id, payload_digest
) OVERRIDING SYSTEM VALUE
SELECT
    n * {step}, moment + interval '3 milliseconds', moment,
    (ARRAY['booking.created', 'stripe.payment_intent.succeeded', 'booking.payment-recorded',
        'booking.status-changed'])[step + 1],
    'success', CASE step WHEN 1 THEN 'stripe' ELSE 'booking' END, 'evt_' || n, booking_id,
    (ARRAY['system', NULL, 'stripe', 'stripe'])[step + 1],
    (CASE step
        WHEN 0 THEN '{"version":1,"status":"pending","service":"drop-in","total":{"amount":13200,'
            '"currency":"USD"},"body_bytes":200}'
        WHEN 1 THEN '{"verification":"verified","body_bytes":3000}'
        WHEN 2 THEN '{"provider":"stripe","provider_payment_id":"pi_' || n || '","body_bytes":100}'
        ELSE '{"version":2,"from_status":"pending","to_status":"confirmed","body_bytes":200}'
    END)::json,
    CASE step WHEN 1 THEN 'webhooks.stripe.v1' ELSE 'bookings.events.v1' END, n % 12, n,
    CASE step WHEN 1 THEN NULL ELSE booking_id END, CASE step WHEN 3 THEN 'evt_' || n - 2 END,
    pg_catalog.sha256(salt || body)
FROM bodied ORDER BY n
"""
_PAYLOADS = """
INSERT INTO audit.event_payload (entry_id, subject, salt, body)
SELECT n * {step}, booking_id, salt, body FROM bodied ORDER BY n
"""
_HISTORY = """
INSERT INTO audit.status_history (
    booking_id, version, from_status, to_status, changed_by, recorded_at, entry_id
)
SELECT
    booking_id, CASE step WHEN 0 THEN 1 ELSE 2 END, CASE step WHEN 3 THEN 'pending' END,
    CASE step WHEN 0 THEN 'pending' ELSE 'confirmed' END, CASE step WHEN 0 THEN 'system' ELSE 'stripe' END,
    moment, n * {step}
FROM bodied WHERE step IN (0, 3) ORDER BY n
"""


async def insert_entries(
    database: TestDatabase, first: int, last: int, *, webhook_bytes: int = WEBHOOK_BYTES
) -> None:
    """Insert entries with the numbers `first` to `last`, and let the service go on behind them."""
    for start in range(first, last + 1, _ROWS_PER_STATEMENT):
        stop = min(last, start + _ROWS_PER_STATEMENT - 1)
        async with database.without_triggers(*TABLES) as connection:
            await connection.execute(_NUMBERED, start, stop, timeout=600)
            await connection.execute(_BODIES, webhook_bytes, timeout=600)
            for statement in (_ENTRIES, _PAYLOADS, _HISTORY):
                await connection.execute(statement.replace("{step}", str(ID_STEP)), timeout=600)
    await database.execute("SELECT setval('audit.event_log_entry_id_seq', $1)", last * ID_STEP)
