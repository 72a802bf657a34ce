"""Structured logs: one JSON object a line on standard output, or standard error of a command (ALL-5)."""

import logging
import sys
from typing import TextIO

import structlog

_LIBRARY_LEVELS = {
    "aiokafka": logging.CRITICAL,  # about 20 errors a second while a broker is away; readiness tells it once
    "faststream": logging.ERROR,  # two lines per message
    "uvicorn": logging.WARNING,
    "asyncio": logging.ERROR,
    "httpx": logging.WARNING,
}


# A frame's local variables are messages, people and secrets: they stay out of the log.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logs(service: str, *, log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send this process's log lines, those of libraries among them, through one formatter.

    Args:
        service: stands in every line.
        log_format: "json" for machines, "console" for people.
        level: the least level that is written; libraries that chatter have levels of their own.
        stream: where they go; None is standard output.
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
        else [
            structlog.dev.ConsoleRenderer(
                colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    handler = logging.StreamHandler(output)
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
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it with an event name and key-value pairs, never with personal data."""
    return structlog.stdlib.get_logger(name)
