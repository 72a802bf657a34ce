"""The page that checks evidence: one HTML file from the parts in `pages`, which needs no network."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files

PAGE_BYTES_MAX = 30_000
"""Size of the page without a booking's data (AU-9: at most 30 KB)."""

_PARTS = {"style": "verify.css", "script": "verify.js"}
_DATA = "{{evidence}}"


def evidence_page(evidence: str = "") -> bytes:
    """Return the page with evidence in it; without, the page asks for a file.

    Args:
        evidence: JSON in which no `<` stands.
    """
    if "<" in evidence:
        raise ValueError("evidence with < would end the element that holds it")
    head, tail = _template()
    return f"{head}{evidence}{tail}".encode()


@cache
def _template() -> tuple[str, str]:
    """Return the page before and after the evidence. Its policy allows these scripts and styles only."""
    page, parts = _read("verify.html"), {name: _read(file) for name, file in _PARTS.items()}
    policy = "; ".join(
        (
            "default-src 'none'",
            *(f"{name}-src 'sha256-{_digest(content)}'" for name, content in parts.items()),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head, tail = page.split(_DATA)
    for name, content in {**parts, "policy": policy}.items():
        head, tail = (side.replace(f"{{{{{name}}}}}", content) for side in (head, tail))
    return head, tail


def _read(name: str) -> str:
    return (files("audit.adapters") / "pages" / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    return b64encode(hashlib.sha256(content.encode()).digest()).decode()
