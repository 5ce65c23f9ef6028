"""`medium.json`: what a medium is called (docs/format.md section 8). Pure."""

import json
import re
from typing import Final, NamedTuple

from transports.errors import NotAMediumError

MAX_IDENTITY_BYTES: Final = 4096
MAX_LABEL_LENGTH: Final = 64
_VERSION = 1
_ID = re.compile("[0-9a-f]{16}")


class Identity(NamedTuple):
    """Name of a medium.

    Attributes:
        id: 16 hex digits, drawn at random when it was first used.
        label: What people call it, at most 64 printable characters, may be empty.
    """

    id: str
    label: str

    def to_bytes(self) -> bytes:
        """Return the content of the file; `parse_identity` is the inverse."""
        fields = {"id": self.id, "label": self.label, "version": _VERSION}
        return json.dumps(fields).encode() + b"\n"


def parse_identity(data: bytes) -> Identity | None:
    """Return what *data* says, None when it is damaged.

    Raises:
        NotAMediumError: it is of a later version.
    """
    try:
        fields: object = json.loads(data[:MAX_IDENTITY_BYTES])
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    version = fields.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise NotAMediumError(f"the medium is of version {version}: update pannier to use it")
    medium_id = fields.get("id")
    if version != _VERSION or not isinstance(medium_id, str) or not _ID.fullmatch(medium_id):
        return None
    return Identity(medium_id, clean_label(fields.get("label")))


def clean_label(label: object) -> str:
    """Return *label* if people can be shown it, cut to 64 characters; else the empty text."""
    if not isinstance(label, str) or not label.isprintable():
        return ""
    return label[:MAX_LABEL_LENGTH]
