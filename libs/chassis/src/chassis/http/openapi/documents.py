"""A service's document, made from its composition root without any server, and the committed file."""

import importlib
import json
from pathlib import Path
from typing import Any, get_type_hints

from litestar import Litestar
from pydantic import SecretStr
from pydantic.fields import FieldInfo

import contracts
from chassis.http.openapi.breaking import breaking_changes

DOCUMENTS = Path(contracts.__file__).parents[2] / "openapi"
"""The committed files: there in a checkout, not in an installed wheel."""

_REGENERATE = "run `make openapi`"


def document(package: str) -> dict[str, Any]:
    """The OpenAPI document of the service that `<package>.main.build` composes, whatever the environment."""
    return compose(package).openapi_schema.to_schema()


def compose(package: str) -> Litestar:
    """Return a service's application with default settings. Addresses without a default lead nowhere."""
    build = importlib.import_module(f"{package}.main").build
    settings: Any = get_type_hints(build)["settings"]
    fields: dict[str, FieldInfo] = settings.model_fields
    nowhere = {
        name: SecretStr("postgresql://nowhere") if field.annotation is SecretStr else "127.0.0.1:1"
        for name, field in fields.items()
        if field.is_required()
    }
    return build(settings.model_construct(**nowhere)).app


def path_of(package: str, directory: Path = DOCUMENTS) -> Path:
    """Where a service's document is committed."""
    return directory / f"{package.replace('_', '-')}.json"


def check(package: str, directory: Path = DOCUMENTS) -> list[str]:
    """Findings about the committed file, one line each: breaking, stale or missing."""
    path, now = path_of(package, directory), document(package)
    if not path.exists():
        return [f"{path.name}: missing; {_REGENERATE}"]
    committed = path.read_text(encoding="utf-8")
    if broken := breaking_changes(json.loads(committed), now):
        return [f"{path.name}: BREAKING: {change}; keep it beside the new" for change in broken]
    return [] if committed == text(now) else [f"{path.name}: stale; {_REGENERATE} and commit"]


def write(package: str, directory: Path = DOCUMENTS) -> list[str]:
    """Write the file anew, unless a client would break: then it stays, and the findings are returned."""
    findings = [finding for finding in check(package, directory) if "BREAKING" in finding]
    if not findings:
        directory.mkdir(exist_ok=True)
        path_of(package, directory).write_text(text(document(package)), encoding="utf-8")
    return findings


def text(content: dict[str, Any]) -> str:
    """As it is committed: names in order, so that a change shows where it is."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
