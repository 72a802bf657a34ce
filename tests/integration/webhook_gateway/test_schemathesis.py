"""The gateway under schemathesis: whatever its OpenAPI document allows is answered as the document says."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract_tools.openapi import path_of
from harness import Infra, start_services
from harness.processes import run

EXAMPLES = 40
RUN_SECONDS_MAX = 60.0
SOURCES = ["stripe", "sms", "nobody"]
TAKEN = {
    "type": "object",
    "required": ["id", "type"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9]{1,20}$"},
        "type": {"const": "message.received"},
    },
}
"""A body that an unsigned delivery of a text message gets through with, when the flag is off."""
REFUSED_WHATEVER_IT_IS = "positive_data_acceptance"
"""Whether a body is taken depends on its signature, and no schema tells that."""


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The committed document, for the sources that there are: of random names hardly one would be found."""
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "source":
                    parameter["schema"]["enum"] = SOURCES
            if "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["schema"] = {"anyOf": [{}, TAKEN]}
    return document


# Slow: generated requests for each route of the OpenAPI document.
@pytest.mark.parametrize(
    ("flag", "excluded"),
    [("true", []), ("false", ["--exclude-checks", REFUSED_WHATEVER_IT_IS])],
    ids=["flag on", "flag off"],
)
async def test_gateway_answers_as_its_document_says(
    infra: Infra, http: httpx.AsyncClient, tmp_path: Path, flag: str, excluded: list[str]
) -> None:
    document = tmp_path / "webhook-gateway.json"
    document.write_text(json.dumps(narrowed(json.loads(path_of("webhook_gateway").read_text()))))
    settings = tmp_path / "schemathesis.toml"
    settings.write_text("[cache]\nenabled = false\n")  # else it leaves a folder where it runs
    async with start_services(infra, "webhook-gateway", env={"ENABLE_WEBHOOK_VALIDATION": flag}) as stack:
        (gateway,) = stack.services("webhook-gateway")
        done = await run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(settings)),
                *("run", str(document)),
                *("--url", gateway.url, "--checks", "all", *excluded),
                *("--max-examples", str(EXAMPLES), "--request-timeout", "10"),
                *("--generation-database", "none", "--warnings", "off", "--no-color"),
            ],
            {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"},
            seconds_max=RUN_SECONDS_MAX,
        )
        assert done.exit_code == 0, done.stdout + done.stderr
        assert "Tested: 5" in done.stdout, done.stdout
        found = re.search(r"(\d+) generated", done.stdout)
        assert found, done.stdout
        assert int(found[1]) > EXAMPLES, done.stdout
        counts = (await http.get(gateway.url + "/metrics")).text
        taken = re.search(r'outcome="unverified"[^}]*\} [1-9]', counts)
        assert bool(taken) == (flag == "false"), "were any deliveries taken?"
        assert "Traceback" not in gateway.log()
