"""Stored answers are kept for 35 days, then deleted (BK-13)."""

import asyncio
from datetime import timedelta

import pytest

from chassis.http.idempotency import retention
from chassis.http.idempotency.requests import RETENTION_DAYS
from chassis.http.idempotency.retention import AnswerRetention
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.postgres.advisory_locks import ANSWER_RETENTION
from integration.chassis.ground import Ground

_FILL = """
INSERT INTO idempotent_request (scope_sha256, request_sha256, resource, status, headers, recorded_at)
SELECT sha256(convert_to($1 || number, 'UTF8')), '', $1, 200, '{}', now() - $2::interval
FROM generate_series(1, $3::integer) AS number
"""
_LEFT = "SELECT array_agg(DISTINCT resource) FROM idempotent_request"


async def test_answers_beyond_the_retention_go_and_all_others_stay(
    database: Database, place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS_MAX", 2)
    monkeypatch.setattr(retention, "BATCH_PAUSE_SECONDS", 0.0)
    kept = timedelta(days=RETENTION_DAYS)
    await place.sql.execute(_FILL, "old", kept + timedelta(minutes=1), 5)
    await place.sql.execute(_FILL, "young", kept - timedelta(minutes=10), 5)
    metrics = Metrics("sample")
    assert await AnswerRetention(database, metrics).sweep(asyncio.Event()) == 5
    assert await place.sql.fetchval(_LEFT) == ["young"]
    assert "sample_idempotent_requests_removed_total 5.0" in metrics.expose().decode()


async def test_one_replica_sweeps_at_a_time(database: Database, place: Ground) -> None:
    await place.sql.execute(_FILL, "old", timedelta(days=2 * RETENTION_DAYS), 1)
    async with database.transaction() as other:
        await other.execute("SELECT pg_advisory_xact_lock($1)", ANSWER_RETENTION)
        assert await AnswerRetention(database, Metrics("sample")).sweep(asyncio.Event()) == 0
    assert await AnswerRetention(database, Metrics("sample")).sweep(asyncio.Event()) == 1
