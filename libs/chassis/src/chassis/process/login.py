"""Who runs a command, for the record."""

import getpass
from typing import Annotated

import typer

from contracts.actors import is_reserved
from contracts.ids import has_id_form

UNKNOWN_PERSON = "cli"


def login_name() -> str:
    """Return the login name; `cli` where there is none, it has no id's form, or it is a machine's name.

    Histories keep it for ever, so it must be no personal data (`contracts.ids.has_id_form`).
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without an account, as in a container
        return UNKNOWN_PERSON
    return name if has_id_form(name) and not is_reserved(name) else UNKNOWN_PERSON


Actor = Annotated[
    str, typer.Option(default_factory=login_name, help="Who does it, for the record; your login name.")
]
"""Option of a command that a history records."""
