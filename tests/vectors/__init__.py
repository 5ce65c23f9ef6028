"""Test vectors: one JSON file a case, by area. README.md says what the fields are."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def load(area: str) -> dict[str, dict[str, Any]]:
    """Return the vectors of *area* by file stem; none is a mistake of the caller."""
    vectors = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob(f"{area}/*"))}
    assert vectors, f"no vectors in {area}"
    return vectors
