"""Dead letters of real services, replayed and discarded by command line, HTTP and the runbook (ALL-1)."""

import base64
import json
import re
import shlex
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis import clock
from harness import Finished, Infra, Stack, eventually, start_services
from integration.booking.booking_calls import BookingApi, payload, payment_record, webhook_record

RUNBOOKS = Path(__file__).parents[3] / "deploy/runbooks"
BODY = b'{"text": "call +13125550100"'


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "audit", "reconciler") as stack:
        yield stack


@pytest.fixture
def api(own: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(own, http)


class Operator:
    """An operator of one service's dead letters, over HTTP and by command line."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient, service: str) -> None:
        self._stack, self._http, self._service = stack, http, service

    async def get(self, path: str = "", **params: Any) -> httpx.Response:
        url = f"{self._stack.url(self._service)}/api/dead-letters{path}"
        return await self._http.get(url, params=params)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        url = f"{self._stack.url(self._service)}/api/dead-letters{path}"
        return await self._http.post(url, json=body, headers={"Idempotency-Key": key} if key else {})

    async def waiting(self, key: str, count: int) -> list[dict[str, Any]]:
        """Wait for so many dead letters of a key and return them."""

        async def all_waiting() -> list[dict[str, Any]] | None:
            items = (await self.get(key=key)).json()["items"]
            return items if len(items) == count else None

        return await eventually(all_waiting, seconds=20) or []

    async def run(self, *arguments: str) -> Finished:
        return await self._stack.run(self._service, "dead-letters", *arguments)


@pytest.fixture
def operator(own: Stack, http: httpx.AsyncClient) -> Operator:
    return Operator(own, http, "booking")


async def plant(api: BookingApi, operator: Operator) -> tuple[str, str, list[dict[str, Any]]]:
    """Let a payment wait behind an unreadable body. Return key, booking id and the two waiting messages."""
    booking, key = await api.create(), clock.new_id()
    await api.publish(webhook_record(BODY, key=key), payment_record(booking["id"], key=key))
    return key, booking["id"], await operator.waiting(key, 2)


async def entries(stack: Stack, http: httpx.AsyncClient, event_type: str, letter: str) -> list[Any]:
    answer = await http.get(f"{stack.url('audit')}/api/event-log", params={"event_type": event_type})
    return [entry for entry in answer.json()["items"] if entry["metadata"]["dead_letter_id"] == letter]


async def test_line_is_worked_off_by_command_line(api: BookingApi, operator: Operator) -> None:
    key, booking_id, (head, behind) = await plant(api, operator)
    assert (head["reason"], behind["reason"]) == ("malformed", "behind_another")
    listed = json.loads((await operator.run("list", "--key", key, "--json")).stdout)
    assert [item["id"] for item in listed["items"]] == [head["id"], behind["id"]]
    again = await operator.run("replay", "--key", key, "--json")
    assert again.exit_code == 1, again.stderr
    assert [failure["id"] for failure in json.loads(again.stdout)["failures"]] == [head["id"]]
    assert (await api.read(booking_id))["payment_status"] == "unpaid"
    refused = await operator.run("discard", head["id"], "--reason", " ")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    discarded = await operator.run("discard", head["id"], "--reason", "never a payment")
    assert (discarded.exit_code, discarded.stdout) == (0, "discarded: 1\n")
    assert [item["id"] for item in await operator.waiting(key, 1)] == [behind["id"]]
    replayed = await operator.run("replay", behind["id"], "--reason", "head is gone", "--actor", "ada")
    assert (replayed.exit_code, replayed.stdout) == (0, "replayed: 1, failed: 0\n")
    assert (await api.when_paid(booking_id))["status"] == "confirmed"
    shown = json.loads((await operator.run("show", behind["id"], "--json")).stdout)
    assert shown["status"] == "replayed"
    assert [(a["action"], a["actor"], a["reason"]) for a in shown["actions"]] == [
        ("replayed", "ada", "head is gone")
    ]


async def test_line_is_worked_off_over_http(api: BookingApi, operator: Operator) -> None:
    key, booking_id, (head, behind) = await plant(api, operator)
    failed = (await operator.post(f"/{behind['id']}/replay")).json()
    assert (failed["replayed"], failed["failure"]["id"], failed["waiting"]) == (0, head["id"], 2)
    gone = await operator.post(f"/{head['id']}/discard", {"reason": "never a payment"})
    assert (gone.status_code, gone.json()) == (200, {"discarded": 1})
    done = await operator.post(f"/{behind['id']}/replay", {"reason": "head is gone"})
    assert (done.status_code, done.json()) == (200, {"replayed": 1, "failure": None, "waiting": 0})
    assert (await api.when_paid(booking_id))["status"] == "confirmed"
    settled = await operator.post(f"/{head['id']}/discard", {"reason": "again"})
    assert settled.status_code == 409
    assert settled.json()["type"].endswith("dead-letter-settled")
    items = (await operator.get(key=key, status="discarded")).json()["items"]
    assert [item["id"] for item in items] == [head["id"]]


async def test_action_under_one_key_is_done_once_and_answered_again(
    api: BookingApi, operator: Operator
) -> None:
    key, booking_id, (head, behind) = await plant(api, operator)
    requests = [
        (f"/{head['id']}/discard", {"reason": "never a payment"}),
        (f"/{behind['id']}/replay", {"reason": "head is gone"}),
    ]
    for path, body in requests:
        name = clock.new_id()
        planned = await operator.post(path, {**body, "dry_run": True}, key=name)
        assert planned.status_code == 200
        first, again = [await operator.post(path, body, key=name) for _ in range(2)]
        assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
        assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (
            None,
            "true",
        )
        assert (await operator.post(path, {"reason": "another"}, key=name)).status_code == 422
    assert (await api.when_paid(booking_id))["status"] == "confirmed"
    selection = {"selection": {"key": key}, "reason": "the rest"}
    for path in ("/discard", "/replay"):
        name = clock.new_id()
        first, again = [await operator.post(path, selection, key=name) for _ in range(2)]
        assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


async def test_body_is_shown_with_one_message_and_in_no_list_or_log(
    api: BookingApi, operator: Operator, own: Stack
) -> None:
    _, _, (head, _) = await plant(api, operator)
    listing = (await operator.get()).text + (await operator.run("list", "--json")).stdout
    assert "+13125550100" not in listing
    shown = (await operator.get(f"/{head['id']}")).json()
    assert base64.b64decode(shown["value_base64"]) == BODY
    assert shown["value_text"] == BODY.decode()
    assert "+13125550100" in (await operator.run("show", head["id"])).stdout
    await operator.post(f"/{head['id']}/replay")
    assert "+13125550100" not in own.services("booking")[0].log()


async def test_dry_run_counts_and_changes_nothing(api: BookingApi, operator: Operator, own: Stack) -> None:
    key, _, (head, _) = await plant(api, operator)
    counted = await operator.run("replay", "--key", key, "--dry-run", "--json")
    assert json.loads(counted.stdout) == {"lines": 1, "messages": 2}
    one = await operator.run("discard", head["id"], "--reason", "r", "--dry-run")
    both = await operator.run("discard", "--key", key, "--reason", "r", "--dry-run")
    assert (one.stdout, both.stdout) == ("messages: 1\n", "messages: 2\n")
    assert len(await operator.waiting(key, 2)) == 2
    recorded = "SELECT count(*) FROM dead_letter_action WHERE dead_letter_id = $1"
    assert await own.database("booking").fetchval(recorded, head["id"]) == 0


async def test_actions_reach_the_topic_and_the_event_log(
    api: BookingApi, operator: Operator, own: Stack, http: httpx.AsyncClient
) -> None:
    key, _, (head, behind) = await plant(api, operator)
    await operator.run("discard", head["id"], "--reason", "never a payment", "--actor", "ada")
    await operator.post(f"/{behind['id']}/replay")
    topic = own.topic("dead-letters.v1")
    records = await topic.read_until(lambda found: len([r for r in found if r.key == key.encode()]) == 4)
    payloads = [payload(record) for record in records if record.key == key.encode()][2:]
    assert [one["dead_letter_id"] for one in payloads] == [head["id"], behind["id"]]
    assert (payloads[0]["actor"], payloads[0]["reason"]) == ("ada", "never a payment")
    for event_type, letter, actor, status in (
        ("dead-letter.discarded", head["id"], "ada", "skipped"),
        ("dead-letter.replayed", behind["id"], "system", "success"),
    ):
        (entry,) = await eventually(lambda e=event_type, i=letter: entries(own, http, e, i), seconds=20)
        assert (entry["actor"], entry["status"]) == (actor, status)


async def test_what_cannot_be_done_is_one_clear_answer(operator: Operator) -> None:
    unknown = clock.new_id()
    assert (await operator.get(f"/{unknown}")).status_code == 404
    assert (await operator.post(f"/{unknown}/replay")).status_code == 404
    assert (await operator.get(status="lost")).status_code == 400
    assert (await operator.get(cursor="nonsense")).status_code == 400
    assert (await operator.get(topic="\0")).status_code == 400
    assert (await operator.post(f"/{unknown}/discard", {"reason": "  "})).status_code == 400
    for arguments in (
        ("show", unknown),
        ("show", "nonsense"),
        ("replay",),
        ("replay", unknown, "--all"),
        ("discard", unknown, "--reason", "r"),
        ("list", "--older-than", "soon"),
    ):
        finished = await operator.run(*arguments)
        assert (finished.exit_code, finished.stderr.count("\n")) == (2, 1), finished


@pytest.mark.parametrize("name", ["set_aside_before", "set_aside_since"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_time_that_the_database_cannot_be_asked_about_is_refused(
    operator: Operator, name: str, moment: str
) -> None:
    selected = {"selection": {name: moment}, "reason": "r"}
    listed, replayed = await operator.get(**{name: moment}), await operator.post("/replay", selected)
    discarded = await operator.post("/discard", selected)
    for answer in (listed, replayed, discarded):
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (400, "invalid-request")
        assert name in answer.text


async def test_list_over_http_is_narrowed_by_time(api: BookingApi, operator: Operator) -> None:
    key, _, (head, behind) = await plant(api, operator)
    ids = [head["id"], behind["id"]]
    for times, expected in (
        ({"set_aside_since": head["set_aside_at"]}, ids),
        ({"set_aside_since": "0001-01-01T00:00:00Z", "set_aside_before": "9999-12-31T23:59:59Z"}, ids),
        ({"set_aside_before": head["set_aside_at"]}, []),
    ):
        answer = await operator.get(key=key, **times)
        assert [item["id"] for item in answer.json()["items"]] == expected, answer.text
    assert (await operator.get(set_aside_since="2026-01-01T00:00:00")).status_code == 400


async def test_list_over_http_is_paged(api: BookingApi, operator: Operator) -> None:
    key, _, letters = await plant(api, operator)
    one = (await operator.get(key=key, limit=1)).json()
    two = (await operator.get(key=key, limit=1, cursor=one["next_cursor"])).json()
    assert [item["id"] for item in (*one["items"], *two["items"])] == [item["id"] for item in letters]
    assert two["next_cursor"] is None


async def test_reconciler_has_the_same(own: Stack, http: httpx.AsyncClient) -> None:
    key = clock.new_id()
    await own.topic("reconciliation.commands.v1").publish(b"{}", key=key.encode())
    operator = Operator(own, http, "reconciler")
    (letter,) = await operator.waiting(key, 1)
    assert letter["reason"] == "malformed"
    assert (await operator.run("replay", "--key", key)).exit_code == 1
    assert (await operator.run("discard", "--key", key, "--reason", "no command")).exit_code == 0
    assert (await operator.get(f"/{letter['id']}")).json()["status"] == "discarded"


async def test_selection_takes_whole_lines_to_replay_and_only_its_messages_to_discard(
    api: BookingApi, operator: Operator
) -> None:
    key, booking_id, (head, behind) = await plant(api, operator)
    by_reason = {"key": key, "reason": "malformed"}
    counted = await operator.post("/replay", {"selection": by_reason, "dry_run": True})
    assert counted.json() == {"lines": 1, "messages": 2}
    counted = await operator.post("/discard", {"selection": by_reason, "reason": "r", "dry_run": True})
    assert counted.json() == {"messages": 1}
    since = {"key": key, "set_aside_since": behind["set_aside_at"], "set_aside_before": head["set_aside_at"]}
    assert (await operator.post("/replay", {"selection": since})).json()["replayed"] == 0
    failed = (await operator.post("/replay", {"selection": by_reason})).json()
    assert (failed["replayed"], failed["waiting"]) == (0, 2)
    assert [failure["id"] for failure in failed["failures"]] == [head["id"]]
    gone = (await operator.post("/discard", {"selection": by_reason, "reason": "never a payment"})).json()
    assert gone == {"discarded": 1, "failures": [], "waiting": 0}
    done = (await operator.post("/replay", {"selection": {"key": key}, "reason": "fixed"})).json()
    assert done == {"replayed": 1, "failures": [], "waiting": 0}
    assert (await api.when_paid(booking_id))["status"] == "confirmed"


async def test_selection_by_age_and_reason_works_from_the_command_line(
    api: BookingApi, operator: Operator
) -> None:
    key, _, _ = await plant(api, operator)
    old = await operator.run("replay", "--key", key, "--older-than", "1h", "--dry-run")
    young = await operator.run("replay", "--key", key, "--newer-than", "1h", "--dry-run")
    assert (old.stdout, young.stdout) == ("lines: 0, messages: 0\n", "lines: 1, messages: 2\n")
    behind = ("discard", "--key", key, "--set-aside-reason", "behind_another", "--reason", "r")
    assert (await operator.run(*behind, "--dry-run")).stdout == "messages: 1\n"
    assert (await operator.run(*behind)).stdout == "discarded: 1\n"
    (left,) = await operator.waiting(key, 1)
    assert left["reason"] == "malformed"


@pytest.mark.parametrize("selection", [{}, {"keys": "k"}, {"reason": "lost"}])
async def test_selection_of_nothing_or_of_something_unknown_is_refused(
    operator: Operator, selection: dict[str, str]
) -> None:
    assert (await operator.post("/replay", {"selection": selection})).status_code == 400
    assert (await operator.post("/discard", {"selection": selection, "reason": "r"})).status_code == 400


@pytest.mark.parametrize("service", ["booking", "reconciler"])
async def test_service_tells_how_much_waits(own: Stack, http: httpx.AsyncClient, service: str) -> None:
    """`dead_letters/test_metrics.py` tests the values."""

    async def has_gauges() -> bool:
        metrics = (await http.get(f"{own.url(service)}/metrics")).text
        names = (
            'dead_letters_waiting{reason="bug"}',
            "dead_letters_oldest_seconds",
            "dead_letters_lines_waiting",
        )
        return all(f"\n{service}_{name} " in metrics for name in names)

    await eventually(has_gauges, seconds=20)


# Slow: the page's commands start a process each.
@pytest.mark.parametrize("runbook", ["dead-letters.md", "blocked-keys.md"])
async def test_every_command_of_the_runbook_runs(
    api: BookingApi, operator: Operator, own: Stack, runbook: str
) -> None:
    key, booking_id, (head, _) = await plant(api, operator)
    blocks = re.findall(r"```sh\n(.*?)```", (RUNBOOKS / runbook).read_text(), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 5
    for command in commands:
        service, *arguments = (
            {"ID": head["id"], "KEY": key}.get(word, word) for word in shlex.split(command)
        )
        finished = await own.run(service, *arguments)
        still_poison = "replay" in arguments and "--dry-run" not in arguments
        assert finished.exit_code in ((0, 1) if still_poison else (0,)), (command, finished)
    assert (await api.when_paid(booking_id))["status"] == "confirmed"
    assert (await operator.get(key=key)).json()["items"] == []
