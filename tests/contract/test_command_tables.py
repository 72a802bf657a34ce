"""Every table of every command: at 80 columns no line is longer, at 200 no column has left."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import booking.__main__ as booking_cli
import webhook_gateway.__main__ as gateway_cli
from audit.adapters.payload_erasure import TypeSummary
from audit.adapters.payload_retention import MonthOfPayloads
from audit.commands import erasing, evidence_checks, retention, verify, witnesses
from audit.domain.log.evidence_checks import Check
from audit.domain.log.tampering import Finding, Tampering
from audit.handlers.witness_report import WitnessLine
from chassis.cli import run_cli
from chassis.dead_letters.operator.console import print_list
from chassis.kafka.tail import PassedRecord
from chassis.process.tables import print_parts
from chassis.relay import cli as outbox
from chassis.relay.status import ShardBacklog, ShardOwner
from plumbline import events, status
from plumbline.demo import tables as demo
from plumbline.demo.corrupt import CORRUPTIONS
from plumbline.demo.day import EXPECTED_STATES, plan
from plumbline.demo.outcome import Outcome
from plumbline.demo.play import PlayedBooking
from plumbline.demo.queue_work import WorkedException, tasks
from plumbline.demo.sealed_log import LogVerdicts, log_parts
from plumbline.demo.senders import Sent
from reconciler.adapters.sweep_queries import SweepFound, SweepRecord
from reconciler.commands import card_report, operation_output, sweeping
from reconciler.commands.exception_tables import detail_tables, exception_table, group_table
from reconciler.commands.run_tables import finding_table, run_table
from reconciler.domain.card_report import CardRow
from reconciler.domain.operations import OUTCOMES

ROOT = Path(__file__).parents[2]
ID = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"
AT = datetime(2026, 11, 30, 9, 19, 3, tzinfo=UTC)
TITLE = "Stored price 1,054.00 USD, recomputed 1,042.00 USD, charged 1,042.00 USD"
REMARK = "the snapshot's lines sum up to 1,054.00 USD, its total is 1,042.00 USD"
LONG = "a sentence that somebody typed, longer than any line of a terminal ever is " * 3

STEP: dict[str, Any] = {
    "recorded_at": AT,
    "kind": "acknowledged",
    "actor": "operator-of-the-night",
    "details": {"until": "2027-01-01T00:00:00Z", "beyond": 200},
    "reason": LONG,
    "reason_erased": False,
}
EXCEPTION: Any = {
    "id": ID,
    "type": "pricing_drift",
    "class": "booking_total_mismatch",
    "severity": "medium",
    "status": "acknowledged",
    "assignee": "operator-7",
    "booking_id": ID,
    "occurrences": 12_345,
    "first_seen_at": AT,
    "last_seen_at": AT,
    "amount": {"amount": -1200, "currency": "USD"},
    "waiting": None,
    "regressions": 1,
    "escalated_at": None,
    "proposal": {"code": "accepted", "by": "operator-7", "up_to": 1200},
    "clock": {"acknowledge_due_at": None, "resolve_due_at": AT, "overdue": True},
    "title": TITLE,
    "explanation": {
        "sentence": f"{TITLE}.",
        "remarks": [REMARK],
        "suggestion": {"text": LONG},
        "currency": "USD",
        "totals": {"snapshot": 105_400, "recomputed": 104_200, "charged": 104_200},
        "lines": [
            {"code": "base.drop-in.holiday", "snapshot": 1_054_00, "recomputed": 104_200, "difference": -1200}
        ],
    },
    "history": [STEP, {"id": ID, "unreadable": LONG}],
}
RUN: Any = {
    "id": ID,
    "status": "completed",
    "trigger": "schedule",
    "scope": f"booking:{ID}",
    "dry_run": True,
    "requested_at": AT,
    "started_at": AT,
    "finished_at": AT + timedelta(hours=3),
    "scanned": 1_234_567,
    "clean": 1_234_000,
    "drifted": 500,
    "skipped": 60,
    "errored": 7,
}
FINDING: Any = {**EXCEPTION, "exception_status": "acknowledged", "waiting": None}
OPERATION: Any = {
    "id": ID,
    "status": "reverting",
    "action": "acknowledge",
    "actor": "operator-7",
    "created_at": AT,
    "reason": LONG,
    "reason_erased": False,
    "outcomes": dict.fromkeys(OUTCOMES, 1000),
}
OF_OPERATION: Any = {
    "exception_id": ID,
    "outcome": "not_reverted",
    "status": "acknowledged",
    "title": TITLE,
    "detail": LONG,
}
PLANNED: Any = {**OPERATION, "count": 10_000, "sums": {"USD": -123_456_789, "JPY": 1000}, "without_amount": 7}
PLAN: Any = {
    "outcomes": {"stepped": 9000, "unchanged": 900, "refused": 100},
    "sample": [{**OF_OPERATION, "outcome": "refused", "amount": {"amount": -123_456, "currency": "USD"}}],
}
GROUP: Any = {
    "cause": "0123456789abcdef" * 2,
    "type": "pricing_drift",
    "class": "snapshot_corrupt",
    "line": "long_visit",
    "rate_card": "default/2025-01",
    "engine": "1",
    "severity": "medium",
    "count": 12_345,
    "sums": {"USD": -123_456_789},
    "last_good_run": None,
    "first_bad_run": {"id": ID, "started_at": AT},
}
DAMAGED: Any = {"id": ID, "unreadable": LONG}
SWEEP = SweepRecord(
    ID, "completed", "cli", None, None, True, "ana", AT, AT, AT, AT, AT, None,  # noqa: FBT003
    1_000_000, 1_000_000, 0, 0, 1_000_000, 0, 20_000, None,
)  # fmt: skip
CARD_ROW = CardRow("housesitting", "USD", "default/2025-01", 1000, 2000, 3000, 12_345_678, 12_345_678)
LETTER = {
    "id": ID,
    "set_aside_at": AT,
    "topic": "reconciliation.commands.v1",
    "key": ID,
    "reason": "source_not_allowed",
    "attempts": 1000,
    "error": LONG,
}
BOOKED = [PlayedBooking(each, f"{ID[:-2]}{each.number:02d}", 2000, "USD") for each in plan(AT)]
CORRUPTED = {each.booking_id: corruption for each, corruption in zip(BOOKED, CORRUPTIONS, strict=False)}
SENT = [
    Sent("Stripe: payment for a cancelled booking", "stripe", "evt_1", 200, genuine=True),
    Sent("Stripe: the same event again", "stripe", "evt_1", 200, genuine=True),
    Sent("Stripe: forged", "stripe", "evt_2", 401, genuine=False),
]
MONEY = {"amount": 104_200, "currency": "USD"}
OUTCOME = Outcome(
    entries=[
        {"event_type": "stripe.payment_intent.payment_failed", "status": "success", "source": "stripe",
         "event_id": "evt_1"},
    ],
    states={each.booking_id: EXPECTED_STATES[each.plan.fate] for each in BOOKED},
    payments={
        each.booking_id: [
            {"provider": "stripe", **dict.fromkeys(("captured", "refunded", "disputed"), MONEY)}
        ]
        for each in BOOKED[-20:]
    },
    history={
        "booking_id": ID,
        "history": [
            {"version": 1, "from_status": "in_progress", "to_status": "in_progress", "changed_by": "system",
             "reason": LONG, "recorded_at": "2026-03-02T06:38:34Z"}
        ],
    },
    exceptions={"exceptions": [{**EXCEPTION, "booking_id": each.booking_id} for each in BOOKED[:4]]},
    run={"scanned": 32, "clean": 29, "drifted": 3, "errored": 0},
    history_safe=True,
)  # fmt: skip


def print_outbox() -> None:
    owner = ShardOwner("reconciler-8f6d7c5b4-abcde", 4_194_304, "10.244.123.123", AT)
    backlog = [ShardBacklog(number, 12_345, 3600.0) for number in range(16)]
    outbox._print(outbox.build_report(backlog, {1: owner, 2: owner}, counted_max=1000))


def print_demo() -> None:
    worked = [
        WorkedException(
            task, {**EXCEPTION, "resolution": "accepted", "regressions": 1, "history": [STEP] * 5}
        )
        for task in tasks(CORRUPTIONS)
    ]
    demo.show(demo.Console(highlight=False), SENT, BOOKED, CORRUPTED, OUTCOME, worked)


def print_price() -> None:
    run_in_process(
        booking_cli.cli,
        "price --service housesitting --from 2026-07-04T09:00:00-05:00 --to 2026-07-09T19:00:00-05:00",
    )


def print_sources() -> None:
    run_in_process(gateway_cli.cli, "sources")


def run_in_process(cli: Any, arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command", *arguments.split()])
        patch.setenv(
            "STRIPE_WEBHOOK_SECRET",
            "whsec_the-first-of-two-secrets-1,whsec_the-second-of-two-secrets@2030-01-01T00:00:00Z",
        )
        with pytest.raises(SystemExit) as ended:
            run_cli(cli)
        assert ended.value.code in {0, None}


def print_events() -> None:
    record = PassedRecord(
        "reconciliation.commands.v1", 0, 1, AT, ID, {"ce_type": "booking.created", "ce_subject": ID[:-1]}
    )
    sys.stdout.write(f"{events.line(record, events.output_characters())}\n")


def print_status() -> None:
    part = status.ComponentStatus(
        "webhook-gateway", "not ready", 4_194_304, "http://127.0.0.1:18080", "log", 1 << 31
    )
    print_parts(status.table([part, replace(part, state="gone")]))


VERDICT = {
    "verdict": "tampered",
    "tree_size": 1234567,
    "first_bad_index": 1234566,
    "class": "checkpoint-forked",
    "signed_by": ["a", "b"],
}

COMMANDS: dict[str, Callable[[], None]] = {
    "plumbline demo, its log": lambda: print_parts(
        *log_parts(
            LogVerdicts(
                ("plumbline.local/audit", "1234567", "A" * 44),
                {**VERDICT, "verdict": "intact", "first_bad_index": None, "class": None},
                VERDICT,
            )
        )
    ),
    "audit erase": lambda: print_parts(
        erasing.found_table([TypeSummary("stripe.payment_intent.succeeded", 12_345, 45_678_900, AT, AT)])
    ),
    "audit retention": lambda: print_parts(
        retention.months_table([MonthOfPayloads("2026-11", 1_234_567, 4_567_890_123)])
    ),
    "audit witnesses": lambda: print_parts(
        witnesses.witness_table(
            [
                WitnessLine("theirs", f"https://{'w' * 60}.example/", "eeeeeeee", 10**9, AT, LONG, AT),
                WitnessLine("silent", None, "ffffffff", 0, None, None, None),
            ]
        )
    ),
    "audit verify-evidence": lambda: print_parts(
        evidence_checks.checks_table(
            [Check("entries", "pass", f"12,345 are in the log of {10**9}, unchanged")]
        )
    ),
    "audit verify": lambda: print_parts(
        verify.findings_table([Finding(Tampering.CHECKPOINT, LONG, 10**9, 10**9)], 1000)
    ),
    "booking price": print_price,
    "dead-letters list": lambda: print_list([LETTER, {**DAMAGED}], 1000),
    "outbox status": print_outbox,
    "webhook-gateway sources": print_sources,
    "plumbline status": print_status,
    "plumbline demo": print_demo,
    "plumbline events": print_events,
    "reconciler runs": lambda: print_parts(run_table([RUN, DAMAGED])),
    "reconciler findings": lambda: print_parts(
        finding_table(
            {
                "items": [FINDING, DAMAGED],
                "summary": {"total": 1000, "by_type": {}, "by_severity": {}},
                "next_cursor": None,
            }
        )
    ),
    "reconciler exceptions": lambda: print_parts(exception_table([EXCEPTION, DAMAGED], 1000)),
    "reconciler exceptions show": lambda: print_parts(*detail_tables(EXCEPTION)),
    "reconciler operations": lambda: print_parts(operation_output.operation_table([OPERATION, DAMAGED])),
    "reconciler operations show": lambda: print_parts(
        operation_output.outcome_table([OF_OPERATION, DAMAGED], ("refused", "not_reverted"))
    ),
    "reconciler operations plan": lambda: print_parts(*operation_output.plan_parts(PLANNED, PLAN)),
    "reconciler exceptions groups": lambda: print_parts(group_table([GROUP, DAMAGED], 1000)),
    "reconciler sweep": lambda: print_parts(
        sweeping._counts(SWEEP), sweeping._found([SweepFound("payment_anomaly", "medium", ID, "pi_1", TITLE)])
    ),
    "reconciler card-report": lambda: print_parts(card_report._table([CARD_ROW])),
}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    def run(command: str, width: int | None) -> list[str]:
        monkeypatch.setenv("COLUMNS", "" if width is None else str(width))
        COMMANDS[command]()
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_fit_the_terminal_and_a_wide_one_shows_every_column(
    command: str, printed: Callable[..., list[str]]
) -> None:
    for width in (80, 200):
        lines = printed(command, width)
        assert [line for line in lines if cell_len(line) > width] == []
    assert [line for line in lines if "not shown" in line] == []
    piped = printed(command, None)
    assert [line for line in piped if "…" in line or "not shown" in line] == []
    assert not re.search(r"\x1b|None", "\n".join(piped))


def test_narrow_queue_keeps_id_severity_status_age_title_and_remarks(
    printed: Callable[..., list[str]],
) -> None:
    lines = printed("reconciler exceptions", 80)
    assert lines[0].split() == ["id", "severity", "status", "age", "title", "and", "remarks"]
    assert ID[-8:] in lines[2]
    text = " ".join(" ".join(lines).split())
    assert "; regressed; overdue; the snapshot's lines sum up to" in text
    assert "2 of 1,000 exceptions; --limit shows more" in lines


def test_one_exception_in_full_speaks_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    explanation = {
        **EXCEPTION["explanation"],
        "sentence": f"{TITLE}: {REMARK}.",
        "provider_payment_id": "pi_1",
    }
    print_parts(*detail_tables({**EXCEPTION, "occurrences": 1, "explanation": explanation}))
    text = capsys.readouterr().out
    assert "until 2027-01-01T00:00:00Z, until beyond 2.00 USD: a sentence" in text, "steps have amounts"
    assert "accepted by operator-7; another person has to resolve it so too" in text
    assert text.count(REMARK) == 1, "a remark that the sentence has is not repeated"
    assert re.search(r"seen +once, ", text)
    assert re.search(r"payment +pi_1\n", text)


def test_demo_answers_what_its_tables_ask(printed: Callable[..., list[str]]) -> None:
    text = re.sub(r"\s+", " ", "\n".join(printed("plumbline demo", None)))
    assert "Stripe: the same event again 1 200 0 acknowledged; known by its id" in text
    assert "A repeat adds no entry" in text
    assert "32 of 40 bookings were scanned" in text
    assert "The others are 4 pending and 4 cancelled." in text
    assert "4 exceptions: 3 are the falsified prices, 1 is the payment for a cancelled booking" in text


def sources() -> Sequence[tuple[Path, str]]:
    folders = ("libs", "services", "deploy/local/src", "tools/src")
    return [(path, path.read_text()) for each in folders for path in (ROOT / each).rglob("*.py")]


def test_every_command_takes_the_one_table() -> None:
    others = [str(path) for path, text in sources() if re.search(r"from rich\.(table|box) import", text)]
    assert others == [], "tables of commands are made by chassis.process.tables"
    using = {path.stem for path, text in sources() if re.search(r"\btables import .*\bTable\b", text)}
    known = {
        "erasing", "evidence_checks", "retention", "verify", "witnesses",  # audit
        "sealed_log",  # plumbline demo
        "card_report", "console", "exception_tables", "operation_output", "run_tables",  # reconciler
        "sweeping", "cli", "price", "__main__", "status", "tables",
    }  # fmt: skip
    assert using <= known, f"let COMMANDS of this test print the tables of {using - known} too"
