"""Settings of commands: what is not set is taken from the stack that runs on this machine.

`plumbline up` writes the variables of its services into `environment.json` of its state directory, which only
its user can read. A service itself (`serve`) never reads them.
"""

import json
import os
import sys
from pathlib import Path
from typing import TypeVar

from pydantic_settings import BaseSettings

from chassis.process.environment import SettingsError, load_settings

STATE_VARIABLE, STATE_DEFAULT = "PLUMBLINE_STATE", "var"
FILE = "environment.json"

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_command_settings(settings_class: type[SettingsT], service: str) -> SettingsT:
    """Read the settings of a command; variables that are not set come from the running local stack.

    One line on standard error says so. With ENVIRONMENT=production nothing is taken from there.

    Args:
        settings_class: of the command.
        service: whose variables of the stack are taken.

    Raises:
        SettingsError: variables are missing or wrong, and no stack runs here.
    """
    try:
        return load_settings(settings_class)
    except SettingsError as error:
        path = Path(os.environ.get(STATE_VARIABLE) or STATE_DEFAULT) / FILE
        variables = _read(path).get(service, {})
        read = {name.upper() for name in settings_class.model_fields}
        unset = {name: variables[name] for name in read & variables.keys() if not _is_set(name)}
        if not unset or os.environ.get("ENVIRONMENT") == "production":
            raise SettingsError(f'{error}. For a stack of this machine: eval "$(plumbline env)"') from None
        os.environ.update(unset)
        sys.stderr.write(f"{service}: using the stack in {path.parent}, because {error}\n")
        return load_settings(settings_class)


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
