"""`plumbline events`: what passes on the topics, one line an event."""

import asyncio
import os
import sys
from contextlib import aclosing
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.tail import PassedRecord, UnknownTopicError, tail
from chassis.process.tables import output_characters
from chassis.process.terminal import print_json, printable
from contracts.metadata import format_time
from plumbline import state_directory
from plumbline.doctor import target
from plumbline.failure import StackError

_LINES_MAX = 1000
_TOPIC_CHARACTERS, _TYPE_CHARACTERS = 26, 32
# Date, topic, type and an id of 36 characters.
_FULL_CHARACTERS_MIN = 20 + 1 + _TOPIC_CHARACTERS + 1 + _TYPE_CHARACTERS + 1 + 36


def add_events(cli: typer.Typer) -> None:
    """Add the command to the command line."""

    @cli.command()
    def events(
        topic: Annotated[
            list[str] | None,
            typer.Option(help="E.g. bookings.events.v1; repeat the option for several; all if left out."),
        ] = None,
        *,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until Ctrl-C.")] = False,
        lines: Annotated[
            int, typer.Option("--lines", "-n", min=0, max=_LINES_MAX, help="So many of the last events.")
        ] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    ) -> None:
        """Print the last events and what passes: time, topic, type, key, and subject where it is not the key.

        Reads without a consumer group: no service misses an event. The Kafka is that of KAFKA_BOOTSTRAP and
        the related variables; without it, of the running stack of this state directory.
        """
        kafka = target.kafka_of(state_directory.from_environment(os.environ), os.environ)
        try:
            asyncio.run(_print_events(kafka, topic or [], lines, follow=follow, as_json=as_json))
        except (BrokerUnavailableError, UnknownTopicError) as error:
            raise StackError(str(error)) from error
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


async def _print_events(
    kafka: KafkaConnection, topics: list[str], lines: int, *, follow: bool, as_json: bool
) -> None:
    count = 0
    async with aclosing(tail(kafka, topics, last=lines, follow=follow)) as records:
        async for record in records:
            count += 1
            if as_json:
                print_json(as_object(record))
            else:
                typer.echo(line(record, output_characters()))
                sys.stdout.flush()
    if not count and not as_json:
        typer.echo("no event has passed")


def line(record: PassedRecord, width: int | None = None) -> str:
    """Return the line of an event. Control characters of others are replaced.

    Args:
        record: the event.
        width: of the terminal. A narrow one shows neither date nor topic, which the type tells.
    """
    key, subject = record.key or "-", record.headers.get("ce_subject", "")
    is_full = width is None or width >= _FULL_CHARACTERS_MIN
    parts = (
        f"{record.time:%Y-%m-%d %H:%M:%S}Z" if is_full else f"{record.time:%H:%M:%S}Z",
        *([f"{record.topic:<{_TOPIC_CHARACTERS}}"] if is_full else []),
        f"{record.headers.get('ce_type', '-'):<{_TYPE_CHARACTERS}}",
        key if subject in {"", key} else f"{key} {subject}",
    )
    text = printable(" ".join(parts))
    return text if width is None else set_cell_size(text, min(width, cell_len(text)))


def as_object(record: PassedRecord) -> dict[str, Any]:
    """Return the members of an event's JSON line; `sequence` is text, as the header has it."""
    return {
        "time": format_time(record.time),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        **{
            name: record.headers.get(f"ce_{name}") for name in ("id", "source", "type", "subject", "sequence")
        },
    }
