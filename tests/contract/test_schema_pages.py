"""The pages below `/schema` load nothing from other hosts: they work without the internet."""

import re
from typing import Any

import httpx
import pytest

from contract_tools.openapi import compose
from harness.composed import SERVICES

LOADED = re.compile(r"""(?:src|href|url)\s*[=:(]\s*["']?([^"'\s>)]+)""")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("path", ["/schema", "/schema/swagger"])
async def test_page_loads_only_files_of_its_own_service(service: str, path: str) -> None:
    app: Any = compose(service)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        page = await client.get(path)
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
        loaded = {address for address in LOADED.findall(page.text) if not address.startswith("data:")}
        files = {address for address in loaded if address.endswith((".js", ".css"))}
        assert len(files) == 3, page.text[:2000]
        for address in loaded:
            assert address.startswith("/schema"), address
            assert (await client.get(address)).status_code == 200, address
        assert not re.search(r"""["'(]\s*(https?:)?//""", page.text.split("SwaggerUIBundle(")[0])
