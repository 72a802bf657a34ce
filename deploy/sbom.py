# ruff: noqa: INP001 - a script, part of no package
"""Write the bill of materials of `requirements.lock` and Kafka's jars as CycloneDX JSON.

    python deploy/sbom.py var/sbom.cdx.json

OWASP's tool lists the Python packages; the jars are added with their digests. The result is validated against
the CycloneDX schema before it is written.
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
    """Return the CycloneDX document of the Python packages; the same lock file gives the same document."""
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
    finished = subprocess.run([*tool, *options], check=True, capture_output=True, text=True)  # noqa: S603 - constant arguments
    return json.loads(finished.stdout)


def jar(artifact: Artifact) -> dict[str, Any]:
    """Return the CycloneDX component of a jar."""
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
    """Return the complete document as JSON.

    Raises:
        ValueError: the document does not match the CycloneDX schema.
    """
    bom = packages()
    bom["components"] = [*bom["components"], *map(jar, locked_artifacts())]
    text = json.dumps(bom, indent=2) + "\n"
    if error := JsonStrictValidator(FORMAT).validate_str(text):
        raise ValueError(f"sbom: not valid CycloneDX {FORMAT.to_version()}: {error}")
    return text


def main() -> None:
    """Write the document to the path of the first argument."""
    target = Path(sys.argv[1])
    text = document()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    count = len(json.loads(text)["components"])
    sys.stdout.write(f"{target}: {count} components\n")


if __name__ == "__main__":
    main()
