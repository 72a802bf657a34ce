"""A web page in a browser of this machine changes and reads nothing; webhooks come as before (ALL-9)."""

import httpx
import pytest

from harness import Stack
from integration.booking.booking_calls import request

SERVICES = ("webhook-gateway", "booking", "audit", "reconciler")
FOREIGN = {"host": "evil.example"}


async def test_page_of_another_site_makes_no_booking(stack: Stack, http: httpx.AsyncClient) -> None:
    url = f"{stack.url('booking')}/api/bookings"
    before = await stack.database("booking").fetchval("SELECT count(*) FROM booking")
    plain = await http.post(url, content=str(request()), headers={"content-type": "text/plain"})
    cross = await http.post(url, json=request(), headers={"sec-fetch-site": "cross-site"})
    assert (plain.status_code, cross.status_code) == (415, 403)
    assert await stack.database("booking").fetchval("SELECT count(*) FROM booking") == before


@pytest.mark.parametrize("service", SERVICES)
async def test_rebound_name_reads_nothing(stack: Stack, http: httpx.AsyncClient, service: str) -> None:
    for path in ("/schema/openapi.json", "/metrics", "/health/ready"):
        answer = await http.get(f"{stack.url(service)}{path}", headers=FOREIGN)
        assert answer.status_code == 421
        assert answer.json()["type"] == "urn:plumbline:problem:host-not-served"


async def test_webhook_is_taken_under_every_host(stack: Stack) -> None:
    body = {"id": "evt_foreign_host", "object": "event", "type": "customer.created", "data": {"object": {}}}
    answer = await stack.deliver.stripe(body, headers={**FOREIGN, "sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
