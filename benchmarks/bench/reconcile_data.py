"""Priced and paid bookings by the million, written by SQL, a known few of them wrong."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from harness import Stack
from pricing import PriceRequest, rate_card, snapshot, to_json_object

TEMPLATES = 2_000
SERVICES = ("drop-in", "dog-walking", "pet-taxi")
VISITS_MAX = 3
PETS_MAX = 3
# Each booking has a snapshot of its own, as real ones do: the stay begins at a second of its own. Of equal
# snapshots PostgreSQL would compute each but once (Memoize), and a program could do the same. The shortest
# stay takes 30 minutes and must end after its beginning, so of ten million snapshots three may be equal.
_BEGINS_WITHIN_SECONDS = 1_750
_SECONDS = f"to_char(make_interval(secs => n.number / {TEMPLATES} % {_BEGINS_WITHIN_SECONDS}), 'MI:SS')"
_PRICING = f"""
jsonb_set(
    pricing, '{{inputs,starts_local}}',
    to_jsonb(overlay(pricing #>> '{{inputs,starts_local}}' PLACING {_SECONDS} FROM 15 FOR 5))
)
"""
# One booking of so many has another total than its snapshot.
WRONG_OF = 1_000
WRONG_BY = 500

_TABLES = ("booking.booking", "booking.payment", "booking.status_transition")

_TEMPLATE = """
CREATE TABLE public.bench_template (
    number bigint PRIMARY KEY, service text, starts_at timestamptz, ends_at timestamptz, total bigint,
    pricing jsonb
)
"""

# Ids in the order of time, as uuidv7 gives them.
_ID = "('01900000-0000-7000-8000-' || lpad(to_hex(n.number), 12, '0'))::uuid"

_BOOKINGS = f"""
INSERT INTO booking.booking (
    booking_id, status, payment_status, version, transitions, service, starts_at, ends_at, currency, total,
    captured, pricing, client_name, client_phone, pets, visits, request_sha256, created_at, updated_at,
    confirmed_at
)
SELECT
    {_ID}, 'confirmed', 'paid', 2, 2, service, starts_at, ends_at, 'USD',
    total + CASE WHEN n.number % {WRONG_OF} = 0 THEN {WRONG_BY} ELSE 0 END,
    total, {_PRICING}, 'A', '+13125550100', '[]', '[]', '\\x00', $3, $3, $3
FROM generate_series($1::bigint, $2::bigint) AS n (number)
JOIN public.bench_template AS template ON template.number = n.number % {TEMPLATES}
"""

_PAYMENTS = f"""
INSERT INTO booking.payment (
    booking_id, provider, provider_payment_id, event_id, captured, currency, recorded_at, updated_at
)
SELECT {_ID}, 'stripe', 'pi_' || n.number, 'evt_' || n.number, total, 'USD', $3, $3
FROM generate_series($1::bigint, $2::bigint) AS n (number)
JOIN public.bench_template AS template ON template.number = n.number % {TEMPLATES}
"""

_HISTORY = f"""
INSERT INTO booking.status_transition (
    booking_id, version, from_status, to_status, changed_by, metadata, recorded_at
)
SELECT {_ID}, step.version, step.from_status, step.to_status, 'stripe', '{{}}', $3
FROM generate_series($1::bigint, $2::bigint) AS n (number),
    (VALUES (1, NULL, 'pending'), (2, 'pending', 'confirmed')) AS step (version, from_status, to_status)
"""

_ROWS_PER_STATEMENT = 100_000


async def fill(stack: Stack, count: int) -> set[str]:
    """Write so many bookings, and return the ids of the wrong ones.

    No trigger runs: the rows are those that the service would leave, and revisions are left out.
    """
    database = stack.database("booking")
    moment = datetime.now(UTC) - timedelta(days=2)  # noqa: TID251 - the service uses the real clock too
    async with database.connect() as connection:
        await connection.execute(_TEMPLATE)
        await connection.copy_records_to_table(
            "bench_template", schema_name="public", records=_templates(), timeout=60
        )
    for first in range(1, count + 1, _ROWS_PER_STATEMENT):
        last = min(count, first + _ROWS_PER_STATEMENT - 1)
        async with database.without_triggers(*_TABLES) as connection:
            for statement in (_BOOKINGS, _PAYMENTS, _HISTORY):
                await connection.execute(statement, first, last, moment, timeout=600)
    for table in _TABLES:
        await _vacuum(stack, table)
    wrong = range(WRONG_OF, count + 1, WRONG_OF)
    return {f"01900000-0000-7000-8000-{number:012x}" for number in wrong}


async def _vacuum(stack: Stack, table: str) -> None:
    async with stack.database("booking").connect() as connection:
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=600)


def _templates() -> Sequence[tuple[int, str, datetime, datetime, int, str]]:
    chance = random.Random(7)
    card = rate_card("default", "2025-01")
    rows: list[tuple[int, str, datetime, datetime, int, str]] = []
    for number in range(TEMPLATES):
        starts = datetime(2026, 1, 5, 14, 0, tzinfo=UTC) + timedelta(hours=chance.randrange(24 * 300))
        visits = [starts + timedelta(hours=3 * each) for each in range(chance.randint(1, VISITS_MAX))]
        slots = tuple((each, each + timedelta(minutes=chance.choice((30, 45, 60, 90)))) for each in visits)
        request = PriceRequest(
            service=chance.choice(SERVICES),
            starts_at=starts,
            ends_at=slots[-1][1],
            visits=slots,
            pets=chance.randint(1, PETS_MAX),
            holiday=chance.choice((None, True, False)),
        )
        priced = snapshot(request, card)
        pricing = json.dumps(to_json_object(priced))
        rows.append((number, request.service, starts, slots[-1][1], priced.total, pricing))
    return rows
