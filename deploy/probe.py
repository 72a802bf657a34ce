# ruff: noqa: INP001 - a script inside the image, part of no package
"""Health probe of the service in this container: `probe.py /health/ready`. Exit code 0 for a 200, else 1."""

import sys
from http.client import HTTPConnection, HTTPException

PORT = 8080
ANSWER_SECONDS_MAX = 4.0


def answers_ok(path: str) -> bool:
    """Return whether `path` answers 200 in time; False if the service is not up yet."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200  # noqa: PLR2004 - a status of HTTP
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers_ok(sys.argv[1]) else 1)
