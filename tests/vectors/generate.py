"""Writes the vectors: ``python -m tests.vectors.generate``.

An area is a module ``<area>_vectors.py`` beside this one, found by its name, with a function
``cases() -> dict[str, dict[str, object]]`` that maps file stems to what the files hold. It may use
what the published formats are made of (hashes, signatures, CBOR), never the code under test.
"""

import importlib
import json
from pathlib import Path

from tests.vectors import FOLDER, recorded


def areas() -> list[str]:
    return sorted(path.stem.removesuffix("_vectors") for path in FOLDER.glob("*_vectors.py"))


def wanted_files(area: str) -> dict[Path, str]:
    """Return the text of each file of *area* by its path."""
    cases: dict[str, dict[str, object]] = importlib.import_module(
        f"tests.vectors.{area}_vectors"
    ).cases()
    return {
        FOLDER / area / f"{stem}.json": json.dumps(case, indent=1, ensure_ascii=False) + "\n"
        for stem, case in cases.items()
    }


def write(area: str) -> None:
    wanted = wanted_files(area)
    (FOLDER / area).mkdir(exist_ok=True)
    for path in (FOLDER / area).glob("*.json"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in areas():
        write(name)
    recorded.save()
