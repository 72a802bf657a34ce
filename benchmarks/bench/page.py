"""Write `docs/performance.md` from `var/bench/*.json` (`make bench-page`); other rows keep their sections."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.document import Document, Table, tables

RESULTS = Path("var/bench")
PAGE = Path("docs/performance.md")

_SECTION = re.compile(r"^## (\w+) · .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)

_HEAD = """# Performance

`make bench-page` writes this page from the last full `make bench` of each row. Never edit the page by hand.

Compare only ratios of sides that were measured in turn on the same servers. A sample is void if other
processes took more than 15 % of the machine's CPU. A run is void if a yardstick changed by more than 25 %.
A sample that lost, duplicated or reordered a message has no number. A value in brackets `[…]` is not a valid
number, only an indication. `benchmarks/README.md` has all rules.
"""


def render(documents: Sequence[Document], page: str = "") -> str:
    """Return the page in Markdown, with one section for each row, by name.

    Args:
        documents: the rows that were measured.
        page: the page as it is. Sections of rows without a document are taken over.
    """
    sections = {found[1]: found[0].rstrip("\n") + "\n" for found in _SECTION.finditer(page)}
    sections |= {document["row"]: _section(document) for document in documents}
    return "\n".join([_HEAD, *(section for _, section in sorted(sections.items()))])


def _section(document: Document) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    machine = ", ".join(document["machine"].values())
    obstacles = [f"* no number: {obstacle}" for obstacle in document["obstacles"]]
    sides = [f"* **{side['name']}**: {side['description']}" for side in document["sides"]]
    sides += [f"* not measured, {name}: {why}" for name, why in document.get("missing", {}).items()]
    return "\n".join(
        [
            f"## {document['row']} · {document['title']}\n",
            f"{document['measured_at']} · {document['rounds']} rounds · {machine}\n",
            f"{versions}\n",
            *sides,
            "",
            *([*obstacles, ""] if obstacles else []),
            *(_markdown(table) for table in tables(document)),
        ]
    )


def _markdown(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join([f"### {table.title}\n", *(f"| {' | '.join(line)} |" for line in lines), ""])


def main() -> int:
    """Write the page. Return the exit code: 2 if there is no result."""
    results = sorted(RESULTS.glob("*.json"))
    if not results:
        sys.stderr.write(f"bench: no result in {RESULTS}: run `make bench` first\n")
        return 2
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in results]
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(render(documents, page), encoding="utf-8")
    sys.stdout.write(f"{PAGE} written from {len(results)} results\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
