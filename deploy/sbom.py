# ruff: noqa: INP001 - a script, part of no package
"""Write the bill of materials: what `requirements.lock` and the lock of Kafka's jars pin, as CycloneDX JSON.

    python deploy/sbom.py var/sbom.cdx.json

The packages of Python come from the OWASP project's own tool; the jars are added with their digests. The
result is checked against the standard's schema before it is written.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from plumbline.kafka_lock import Artifact, locked_artifacts

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
FORMAT = SchemaVersion.V1_6


def packages() -> dict[str, Any]:
    """Return the document of the Python packages, the same for the same lock."""
    tool = [
        sys.executable,
        "-P",
        "-m",
        "cyclonedx_py",
        "requirements",
        "--output-reproducible",
        "--no-validate",
    ]
    options = ["--spec-version", FORMAT.to_version(), "--output-format", "JSON", str(LOCK)]
    made = subprocess.run([*tool, *options], check=True, capture_output=True, text=True)  # noqa: S603 - our own words
    return json.loads(made.stdout)


def jar(artifact: Artifact) -> dict[str, Any]:
    """Return a jar as a component."""
    reference = f"pkg:maven/{artifact.group}/{artifact.artifact}@{artifact.version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "group": artifact.group,
        "name": artifact.artifact,
        "version": artifact.version,
        "purl": reference,
        "hashes": [{"alg": "SHA-256", "content": artifact.sha256}],
    }


def document() -> str:
    """Return the whole document.

    Raises:
        ValueError: it is not what CycloneDX's schema says.
    """
    bom = packages()
    bom["components"] = [*bom["components"], *map(jar, locked_artifacts())]
    text = json.dumps(bom, indent=2) + "\n"
    if error := JsonStrictValidator(FORMAT).validate_str(text):
        raise ValueError(f"sbom: not valid CycloneDX {FORMAT.to_version()}: {error}")
    return text


def main() -> None:
    """Write the document to the path that is named."""
    target = Path(sys.argv[1])
    text = document()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    count = len(json.loads(text)["components"])
    sys.stdout.write(f"{target}: {count} components\n")


if __name__ == "__main__":
    main()
