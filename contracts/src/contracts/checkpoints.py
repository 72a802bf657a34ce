"""Records of `audit.checkpoints.v1` (AU-4): the value is a signed note, which any tool for notes reads."""

from contracts.metadata import MessageMetadata

CHECKPOINT_PUBLISHED = "audit.checkpoint-published"
NOTE_CONTENT_TYPE = "text/plain; charset=utf-8"


def checkpoint_metadata(origin: str, size: int, root: bytes) -> MessageMetadata:
    """Return the metadata of a record. A checkpoint that is published again has the same id."""
    return MessageMetadata(
        id=f"{origin}/{size}/{root.hex()}",
        source="audit",
        type=CHECKPOINT_PUBLISHED,
        subject=origin,
        content_type=NOTE_CONTENT_TYPE,
    )
