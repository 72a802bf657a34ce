"""Logging as it was, after a test that configured it inside its own process."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

import structlog


@contextmanager
def restored() -> Generator[None]:
    """Whatever is configured inside the block is undone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    names = ("chassis.handled", "asyncio", "aiokafka", "faststream", "uvicorn", "httpx", "urllib3")
    levels = {name: logging.getLogger(name).level for name in names}
    filters = list(logging.getLogger("asyncio").filters)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        for name, each in levels.items():
            logging.getLogger(name).setLevel(each)
        logging.getLogger("asyncio").filters = filters
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
