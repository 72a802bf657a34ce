"""One JSON object a line, each line once, and libraries that chatter are quiet (ALL-5)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = """
import logging
import chassis.kafka  # brings FastStream and aiokafka, which set up loggers of their own
import uvicorn
from chassis.observability.logs import configure_logs, get_logger
configure_logs("sample", log_format={log_format!r}, level={level!r})
{statements}
"""


def lines(statements: str, *, log_format: str = "json", level: str = "INFO") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(log_format=log_format, level=level, statements=statements)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def objects(statements: str, **options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(statements, **options)]


def test_event_is_one_json_object_with_service_level_logger_and_time() -> None:
    (line,) = objects("get_logger('booking.handlers').info('message set aside', topic='a', offset=7)")
    moment = line.pop("at")
    assert moment.endswith("Z")
    assert line == {
        "event": "message set aside",
        "level": "info",
        "logger": "booking.handlers",
        "service": "sample",
        "topic": "a",
        "offset": 7,
    }


def test_line_breaks_and_half_surrogates_stay_in_one_line() -> None:
    (line,) = objects("get_logger('a').info('x', text='one\\ntwo\\ud83d\\0')")
    assert line["text"] == "one\ntwo\ud83d\0"


def test_libraries_go_through_the_same_formatter_once() -> None:
    found = objects("logging.getLogger('some.library').warning('retrying %s', 'now')")
    assert [(line["event"], line["logger"]) for line in found] == [("retrying now", "some.library")]


def test_error_carries_its_traceback_in_the_same_line() -> None:
    (line,) = objects(
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    get_logger('a').error('failed', exc_info=e)"
    )
    assert line["event"] == "failed"
    assert "ZeroDivisionError" in json.dumps(line["exception"])


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_traceback_tells_no_local_variable(log_format: str) -> None:
    statements = (
        "def handle(phone):\n    return phone['number']\n"
        "try:\n    handle({'other': '+1555' + 'ZULU'})\n"
        "except KeyError as e:\n    get_logger('a').error('failed', exc_info=e)"
    )
    text = "\n".join(lines(statements, log_format=log_format))
    assert "KeyError" in text
    assert "ZULU" not in text


def test_chattering_libraries_are_quiet_even_at_debug() -> None:
    found = objects(
        "for name in ('aiokafka', 'aiokafka.consumer.fetcher', 'uvicorn.access', 'faststream', 'httpx'):\n"
        "    logging.getLogger(name).info('chatter')\n"
        "logging.getLogger('aiokafka').error('away, twenty times a second')\n"
        "get_logger('own').debug('kept')",
        level="DEBUG",
    )
    assert [line["event"] for line in found] == ["kept"]


def test_level_is_the_least_that_is_written() -> None:
    found = objects("get_logger('a').info('not this'); get_logger('a').warning('this')", level="WARNING")
    assert [line["event"] for line in found] == ["this"]


def test_console_format_is_one_readable_line() -> None:
    (line,) = lines("get_logger('a').info('service started', parts=3)", log_format="console")
    assert "service started" in line
    assert "parts=3" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_traceback_tells_classes_and_frames_and_no_text(log_format: str) -> None:
    statements = (
        "try:\n    raise KeyError('+1555' + 'ZULU') from ValueError('ada@' + 'example.com')\n"
        "except KeyError as e:\n    e.add_note('note ' + 'YOKE')\n"
        "    get_logger('a').error('failed', exc_info=e)\n"
        "    logging.getLogger('lib').error('failed', exc_info=e)"
    )
    text = "\n".join(lines(statements, log_format=log_format))
    assert "KeyError" in text
    assert "<module>" in text
    assert not [secret for secret in ("+1555", "ZULU", "YOKE", "ada@") if secret in text]


def test_task_that_nobody_awaits_tells_its_failure_without_its_text() -> None:
    (line,) = objects(
        "import asyncio\nasync def main():\n    async def fail():\n        raise KeyError('47' + '11')\n"
        "    asyncio.create_task(fail())\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n"
        "asyncio.run(main())"
    )
    assert line["logger"] == "asyncio"
    assert "KeyError" in json.dumps(line)
    assert "ZULU" not in json.dumps(line)


def test_full_disk_stops_neither_lines_nor_the_work(tmp_path: Path) -> None:
    program = _PROGRAM.format(
        log_format="json",
        level="INFO",
        statements="from chassis.observability.logs import HANDLED_LOGGER, write_lines\n"
        "import logging\n"
        "write_lines(HANDLED_LOGGER, logging.INFO, 'message handled', [{'offset': 1}])\n"
        "get_logger('sample').info('and on')\n"
        f"open({str(tmp_path / 'went on')!r}, 'w').close()",
    )
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=full,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    assert (tmp_path / "went on").exists()
