"""`booking price` explains a price, needs no setting but the time zone, and refuses bad input in one line."""

import json
import re
import shlex
from pathlib import Path

import pytest

from booking.__main__ import cli
from chassis.cli import run_cli

PAGE = (Path(__file__).parents[3] / "docs/pricing.md").read_text(encoding="utf-8")
STAY = "--from 2025-03-08T10:00:00-06:00 --to 2025-03-10T10:00:00-05:00"
WORKED = "--at 2025-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("KAFKA_BOOTSTRAP", "BOOKING_POSTGRES_DSN", "BUSINESS_TIME_ZONE"):
        monkeypatch.delenv(variable, raising=False)


def run(arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["booking", *shlex.split(arguments)])
    with pytest.raises(SystemExit) as ended:
        run_cli(cli)
    return int(ended.value.code or 0)


def test_example_of_the_page_prints_what_the_page_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [(command, shown)] = re.findall(r"```console\n\$ booking (.*?)\n\n(.*?)```", PAGE, flags=re.DOTALL)
    assert run(command.replace("\\\n", " "), monkeypatch) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in printed if line] == [line for line in shown.splitlines() if line]


def test_example_of_the_help_has_a_price(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("price --help", monkeypatch) == 0
    example = re.findall(
        r"^ +booking (price .*?)\n\n", capsys.readouterr().out, flags=re.DOTALL | re.MULTILINE
    )
    assert run(example[0].replace("\\\n", " "), monkeypatch) == 0
    assert "92.00 USD" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("zone", "nights"), [("America/Chicago", 2), ("Pacific/Kiritimati", 2), ("Asia/Tokyo", 2), ("UTC", 2)]
)
def test_json_has_total_snapshot_and_warnings(
    zone: str, nights: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Honolulu")
    assert run(f"price --service housesitting {STAY} {WORKED} --time-zone {zone} --json", monkeypatch) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["total"] == {"amount": 8000 * nights, "currency": "USD"}
    assert printed["pricing"]["line_items"][0]["quantity"] == nights
    assert printed["pricing"]["rate_card"] == {"id": "default", "version": "2025-01"}
    assert printed["warnings"] == []


def test_time_zone_of_the_business_counts_the_nights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUSINESS_TIME_ZONE", "UTC")
    stay = "--from 2025-06-01T22:00:00-05:00 --to 2025-06-02T06:00:00-05:00"
    assert run(f"price --service 24-7-care {stay} --json", monkeypatch) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["pricing"]["inputs"]["time_zone"] == "UTC"
    assert [warning["code"] for warning in printed["warnings"]] == ["starts_in_past"]


def test_other_card_engine_and_holiday_are_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = f"--service housesitting {STAY} {WORKED} --pets 3 --holiday"
    assert run(f"price {options} --engine 2", monkeypatch) == 0
    assert "250.00 USD" in (printed := capsys.readouterr().out)
    assert "rate card default/2025-01, engine 2" in printed
    assert run(f"price {options} --card example/2026-01", monkeypatch) == 0
    assert "tax:sales" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (f"--service grooming {STAY}", "--service: 'grooming' is unknown, choose one of 24-7-care"),
        (f"--service drop-in {STAY} --pets 0", "--pets: 0 is not"),
        ("--service drop-in --from 2025-03-08 --to 2025-03-09T10:00:00Z", "--from 2025-03-08: expected"),
        ("--service drop-in --from 2025-03-09T10:00:00Z --to 2025-03-08T10:00:00Z", "--to: "),
        ("--service drop-in --from 2025-01-01T10:00:00Z --to 2026-02-05T10:00:00Z", "--to: more than 366"),
        (f"--service drop-in {STAY} --visit 2025-03-08T10:00:00Z", "--visit 2025-03-08T10:00:00Z: expected"),
        (
            f"--service drop-in {STAY} --visit 2025-03-08T10:00:00Z/2025-03-08T10:00:00Z",
            "--visit number 1: ends_at: ",
        ),
        (f"--service drop-in {STAY} --card default", "--card default: expected ID/VERSION"),
        (f"--service drop-in {STAY} --card default/1999-01", "--card: 'default' version '1999-01'"),
        (f"--service drop-in {STAY} --engine 0", "--engine: 0 is unknown"),
        (f"--service training {STAY} --card example/2026-01 --engine 1", "--engine: card example/2026-01"),
        (f"--service drop-in {STAY} --time-zone Mars", "--time-zone: 'Mars'"),
        (f"--service drop-in {STAY} --at now", "--at now: expected"),
    ],
)
def test_bad_input_is_one_line_that_names_the_option(
    arguments: str, start: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"price {arguments}", monkeypatch) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {start}")
    assert (printed.out, printed.err.count("\n")) == ("", 1)
