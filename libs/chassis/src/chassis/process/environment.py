"""Read settings from environment variables and from the files that `<NAME>_FILE` names (ALL-3)."""

import os
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError as UnparsableError

from chassis.process.terminal import plain_reason
from chassis.process.wording import explain


class SettingsError(Exception):
    """Variables are missing or wrong. The text names them."""


def read_variable_file(variable: str) -> str | None:
    """Return the content of the file that `<variable>_FILE` names; None if that variable is unset.

    Surrounding white space and a byte order mark are removed.

    Raises:
        SettingsError: the file cannot be read.
    """
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = plain_reason(error) if isinstance(error, OSError) else f"{path}: not text in UTF-8"
        raise SettingsError(f"{variable}_FILE: cannot read {reason}") from None


class FileSource(PydanticBaseSettingsSource):
    """Settings source that reads the files named by `<NAME>_FILE` variables."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        variable = field_name.upper()
        if field_name.endswith("_file"):
            return None, field_name, False
        if os.environ.get(variable) and os.environ.get(f"{variable}_FILE"):
            raise SettingsError(f"{variable} and {variable}_FILE are both set: keep one of them")
        value = read_variable_file(variable)
        if value == "":
            # Unset, it could turn off what the secret is for.
            path = os.environ[f"{variable}_FILE"]
            raise SettingsError(
                f"{variable}_FILE: {path} is empty: put the value into it, or unset {variable}_FILE"
            )
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read settings from the environment and validate them.

    Raises:
        SettingsError: the text names every missing or wrong variable in one line, and never a value.
    """
    try:
        return settings_class()
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(detail) for detail in error.errors())) from None
    except UnparsableError as error:
        raise SettingsError(_unparsable(error)) from None


def _unparsable(error: UnparsableError) -> str:
    # Lists and tables are read as JSON. The library's message names the field, not the value.
    field = re.search(r'field "(\w+)"', str(error))
    return f"{field[1].upper()}: not valid JSON" if field else str(error)


def _explain(detail: Any) -> str:
    variable = str(detail["loc"][0]).upper() if detail["loc"] else ""
    if detail["type"] == "missing":
        return f"{variable} is not set (set it, or {variable}_FILE)"
    message = explain(detail, shows_value=False)
    return f"{variable}: {message}" if variable else message
