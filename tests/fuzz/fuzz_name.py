"""Names of files on a medium and in the spool."""

from collections.abc import Iterator

from spool.errors import SpoolError
from spool.name import BundleName, FragmentName
from tests.fuzz.harness import Target
from tests.vectors import load


def take(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    if text.endswith(".bundle"):
        assert BundleName.from_text(text).to_text() == text
    else:
        name = FragmentName.from_text(text)
        assert FragmentName.from_text(name.to_text()) == name
        assert name.to_text() == text.lower()


def seeds() -> Iterator[bytes]:
    for vector in load("name").values():
        if "name" in vector:
            yield str(vector["name"]).encode()
    yield BundleName(3, 0xA1B, "a4d07744", "0001020304050607", 1360).to_text().encode()


TARGET = Target(take, (SpoolError,), seeds)
