"""Generate the committed contract documents, or compare them with the code (decisions 0010 and 0016).

python -m contract_tools [KIND...]          # write the documents; keep each file that a change would break
python -m contract_tools --check [KIND...]  # exit 1 when a file is stale or a change breaks a consumer

KIND is schemas, asyncapi or openapi; without one, all three.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from contract_tools import asyncapi, json_schemas, openapi
from contract_tools.committed import Document, check, write

KINDS: Mapping[str, Callable[[], list[Document]]] = {
    "schemas": json_schemas.documents,
    "asyncapi": asyncapi.documents,
    "openapi": openapi.documents,
}


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    kinds = [argument for argument in arguments if argument != "--check"] or list(KINDS)
    if unknown := sorted(set(kinds) - set(KINDS)):
        sys.stderr.write(f"contracts: unknown {', '.join(unknown)}; choose from {', '.join(KINDS)}\n")
        return 2
    compare = check if "--check" in arguments else write
    findings = [f"{kind}: {finding}" for kind in kinds for finding in compare(KINDS[kind]())]
    sys.stderr.write("".join(f"{finding}\n" for finding in findings))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
