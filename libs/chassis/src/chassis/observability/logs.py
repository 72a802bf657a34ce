"""Structured logs: one JSON object a line on standard output, or standard error of a command (ALL-5)."""

import logging
import sys
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import ExcInfo

from chassis import clock

# The logger of the line per handled message; LOG_MESSAGES sets its level.
HANDLED_LOGGER = "chassis.handled"

_LIBRARY_LEVELS = {
    "aiokafka": logging.CRITICAL,  # 20 errors a second while a broker is away; readiness reports it
    "faststream": logging.ERROR,  # two lines per message
    "uvicorn": logging.WARNING,
    "asyncio": logging.ERROR,
    "httpx": logging.WARNING,
    "urllib3": logging.ERROR,  # the span exporter uses it, and it warns of every retry
    "opentelemetry": logging.ERROR,
}


_frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _without_texts(exc_info: ExcInfo) -> list[dict[str, Any]]:
    # Texts of errors and variables of frames can hold messages, personal data and secrets.
    stacks = _frames(exc_info)
    for stack in stacks:
        stack["exc_value"] = ""
        stack["exc_notes"] = []
        stack["exceptions"] = []
    return stacks


def _plain_without_texts(output: TextIO, exc_info: ExcInfo) -> None:
    _, error, _ = exc_info
    for each in traceback.walk_tb(error.__traceback__):
        frame, line = each
        output.write(f"\n  {frame.f_code.co_filename}:{line} {frame.f_code.co_name}")
    output.write(f"\n{type(error).__name__}")


_TRACEBACKS = structlog.processors.ExceptionRenderer(_without_texts)


class _FirstLine(logging.Filter):
    """Cuts a record to its first line: asyncio puts the text of an error into the lines below."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition("\n")[0], ()
        return True


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; many of one kind at once if they are JSON."""

    def __init__(self, output: TextIO, service: str, *, as_json: bool) -> None:
        super().__init__(output)
        self._service = service
        self.as_json = as_json

    def write_lines(self, logger: str, level: int, event: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the same lines as the formatter in a hundredth of its time."""
        common = {
            "event": event,
            "service": self._service,
            "level": logging.getLevelName(level).lower(),
            "logger": logger,
            "at": clock.now().astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        encode = msgspec.json.encode
        lines = b"".join(encode({**row, **common}) + b"\n" for row in rows)
        self.acquire()
        try:
            self.stream.write(lines.decode())
            self.flush()
        except Exception:  # noqa: BLE001 - as logging does for every record: a full disk stops no work
            self.handleError(logging.makeLogRecord({"name": logger, "levelno": level, "msg": event}))
        finally:
            self.release()


def configure_logs(
    service: str, *, log_format: str, level: str, messages: str = "all", stream: TextIO | None = None
) -> None:
    """Send all log lines of this process, also those of libraries, through one formatter.

    Args:
        service: stands in every line.
        log_format: "json" for machines, "console" for people.
        level: the lowest level that is written; verbose libraries have levels of their own.
        messages: "all" writes a line per handled message, "failed" only for messages that were set aside.
        stream: where the lines are written; None is standard output.
    """
    output: TextIO = stream or sys.stdout
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=output.isatty(), exception_formatter=_plain_without_texts)]
    )
    handler = _Handler(output, service, as_json=log_format == "json")
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, library_level in _LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(library_level)
    logging.getLogger(HANDLED_LOGGER).setLevel(logging.WARNING if messages == "failed" else logging.NOTSET)
    logging.getLogger("asyncio").addFilter(_FirstLine())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)


def add_to_every_line(**fields: object) -> None:
    """Add fields to all log lines of this process from now on."""
    structlog.contextvars.bind_contextvars(**fields)


def log_to_stderr() -> None:
    """Send the logs of a command to standard error; its standard output holds the answer alone."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def write_lines(name: str, level: int, event: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """One line for each row, as `get_logger(name)` would write it; of use where there are thousands a second.

    The rows are made only if the level is written.
    """
    if not logging.getLogger(name).isEnabledFor(level):
        return
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]
    if handlers and handlers[0].as_json:
        handlers[0].write_lines(name, level, event, rows)
        return
    for row in rows:
        get_logger(name).log(level, event, **row)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger. Call it with an event name and key-value pairs, never with personal data."""
    return structlog.stdlib.get_logger(name)
