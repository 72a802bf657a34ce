"""`audit checkpoint`: the newest signed checkpoint."""

import sys
from base64 import b64encode

import typer

from audit.commands.console import AsJson, OpenDatabase, query
from audit.domain.log.checkpoints import CheckpointError, read_checkpoint
from audit.domain.log.notes import NoteError, parse_note
from audit.handlers.log_queries import get_checkpoint
from chassis.process.command_line import CommandError
from chassis.process.terminal import print_json


def add_checkpoint(cli: typer.Typer, open_database: OpenDatabase) -> None:
    """Add the command `checkpoint`."""

    @cli.command()
    def checkpoint(*, as_json: AsJson = False) -> None:
        """Print the newest signed checkpoint, as /log/checkpoint gives it out.

        Its signatures are not verified: `audit verify` does. Reads AUDIT_POSTGRES_DSN.
        """
        text = query(open_database, get_checkpoint)
        if text is None:
            raise CommandError("nothing is sealed yet: the log has no checkpoint")
        if not as_json:
            sys.stdout.buffer.write(text.encode())
            sys.stdout.flush()
            return
        try:
            note = parse_note(text.encode())
            head = read_checkpoint(note)
        except (NoteError, CheckpointError) as error:
            raise CommandError(f"log_head: {error}; `audit verify` tells more") from None
        print_json(
            {
                "origin": head.origin,
                "tree_size": head.size,
                "root": b64encode(head.root).decode(),
                "signatures": [{"name": line.name, "key_id": line.key_id.hex()} for line in note.signatures],
                "note": text,
            }
        )
