"""The OpenAPI documents of the services (decision 0016), generated from their composition roots."""

import importlib
from pathlib import Path
from typing import Any, get_type_hints

from litestar import Litestar
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from contract_tools.committed import ROOT, Document
from contract_tools.openapi_changes import breaking_changes

FOLDER = ROOT / "openapi"
SERVICES = ("webhook_gateway", "booking", "audit", "reconciler")


def documents(folder: Path = FOLDER) -> list[Document]:
    """Return the document of each service."""
    return [
        Document(
            path=path_of(package, folder),
            content=compose(package).openapi_schema.to_schema(),
            changes=breaking_changes,
            advice="keep it beside the new",
        )
        for package in SERVICES
    ]


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


def path_of(package: str, folder: Path = FOLDER) -> Path:
    """Return the path of a service's committed document."""
    return folder / f"{package.replace('_', '-')}.json"
