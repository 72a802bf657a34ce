"""The rows that can be run, by name."""

from collections.abc import Mapping

from bench.row import Row
from bench.rows import outbox_held_snapshot, outbox_relay

ROWS: Mapping[str, Row] = {row.name: row for row in (outbox_relay.ROW, outbox_held_snapshot.ROW)}
