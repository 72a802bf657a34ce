"""The reconciliation script that people write: a server-side cursor, rows as dicts, money as Decimal.

It reads bookings with their payments, computes each price again from the visits in the snapshot, compares,
and inserts what differs. One process, one transaction. Argument: connection string of booking's database.
"""

import asyncio
import json
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

SCHEMA = """
CREATE TABLE IF NOT EXISTS public.script_exception (
    booking_id uuid, stored numeric, computed numeric, charged numeric, lines jsonb
)
"""

QUERY = """
SELECT b.booking_id, b.status, b.currency, b.total, b.pricing::text AS pricing,
    coalesce(sum(p.captured - p.refunded), 0) AS charged
FROM booking.booking AS b
LEFT JOIN booking.payment AS p ON p.booking_id = b.booking_id
WHERE b.status IN ('confirmed', 'in_progress', 'completed')
GROUP BY b.booking_id
ORDER BY b.booking_id
"""

CENT = Decimal("0.01")
RATES = {
    "drop-in": {"base": Decimal("20.00"), "long": Decimal("32.00"), "holiday": Decimal("10.00")},
    "dog-walking": {"base": Decimal("20.00"), "long": Decimal("32.00"), "holiday": Decimal("10.00")},
    "pet-taxi": {"base": Decimal("20.00"), "long": None, "holiday": Decimal("15.00")},
}
EXTRA_PET = Decimal("5.00")
LONG_MINUTES = 60


def price(inputs: dict[str, Any]) -> tuple[dict[str, Decimal], Decimal]:
    """Return lines and total of a booking."""
    rate = RATES[inputs["service"]]
    visits = inputs["visits"] or [
        {"starts_local": inputs["starts_local"], "ends_local": inputs["ends_local"]}
    ]
    lines = {
        "visit": Decimal(0), "long_visit": Decimal(0), "extra_pet": Decimal(0), "holiday": Decimal(0)
    }  # fmt: skip
    for visit in visits:
        starts = datetime.fromisoformat(visit["starts_local"])
        ends = datetime.fromisoformat(visit["ends_local"])
        minutes = (ends - starts).total_seconds() / 60
        if rate["long"] is not None and minutes >= LONG_MINUTES:
            lines["long_visit"] += rate["long"]
        else:
            lines["visit"] += rate["base"]
        lines["extra_pet"] += EXTRA_PET * (inputs["pets"] - 1)
        holidays = inputs["holiday_dates"]
        is_holiday = inputs["holiday"]
        if is_holiday is None:
            is_holiday = starts.date().isoformat() in holidays
        if is_holiday:
            lines["holiday"] += rate["holiday"]
    return lines, sum(lines.values(), Decimal(0))


async def main(dsn: str) -> None:
    """Reconcile all bookings and print how many were checked."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(SCHEMA)
    checked = 0
    exceptions: list[tuple[object, ...]] = []
    sums = {"stored": Decimal(0), "computed": Decimal(0), "charged": Decimal(0)}
    async with connection.transaction():
        async for record in connection.cursor(QUERY, prefetch=2_000):
            row = dict(record)
            pricing = json.loads(row["pricing"])
            lines, computed = price(pricing["inputs"])
            stored = (Decimal(row["total"]) / 100).quantize(CENT)
            charged = (Decimal(row["charged"]) / 100).quantize(CENT)
            snapshot = (Decimal(pricing["total"]) / 100).quantize(CENT)
            stored_lines: dict[str, Decimal] = {}
            for line in pricing["line_items"]:
                amount = (Decimal(line["amount"]) / 100).quantize(CENT)
                stored_lines[line["code"]] = stored_lines.get(line["code"], Decimal(0)) + amount
            differences = {
                code: amount - stored_lines.get(code, Decimal(0)) for code, amount in lines.items()
            }
            wrong = any(abs(difference) > CENT for difference in differences.values())
            if wrong or abs(computed - stored) > CENT or abs(computed - snapshot) > CENT \
                    or abs(computed - charged) > CENT:  # fmt: skip
                explained = json.dumps({code: str(value) for code, value in differences.items()})
                exceptions.append((row["booking_id"], stored, computed, charged, explained))
            sums["stored"] += stored
            sums["computed"] += computed
            sums["charged"] += charged
            checked += 1
        await connection.executemany(
            "INSERT INTO public.script_exception VALUES ($1, $2, $3, $4, $5)", exceptions
        )
    await connection.close()
    sys.stdout.write(json.dumps({"checked": checked, "exceptions": len(exceptions)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
