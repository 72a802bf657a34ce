"""The OpenAPI documents of services, generated, committed and compared (decision 0016).

python -m chassis.http.openapi PACKAGE...          # write contracts/openapi/*.json anew; refuses a break
python -m chassis.http.openapi --check PACKAGE...  # exit 1 when a file is stale, or a client would break
"""

import sys
from collections.abc import Sequence

from chassis.http.openapi.documents import check, write


def main(arguments: Sequence[str]) -> int:
    """Command line. Returns the exit code."""
    packages = [argument for argument in arguments if argument != "--check"]
    look = check if "--check" in arguments else write
    findings = [finding for package in packages for finding in look(package)]
    for finding in findings:
        sys.stderr.write(f"openapi: {finding}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
