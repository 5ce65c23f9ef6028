"""A frame with a whole bundle in it."""

from collections.abc import Iterator

from bundler.errors import BundleError
from bundler.whole import Whole, frame_bytes
from tests.fuzz.harness import Target, vectors


def take(data: bytes) -> None:
    whole = Whole.from_bytes(data)
    assert whole.to_bytes() == data
    assert frame_bytes(len(whole.sealed)) == len(data)


def seeds() -> Iterator[bytes]:
    for sealed in vectors("seal", "data"):
        yield Whole(hint=bytes(4), sealed=sealed or b"\0").to_bytes()


TARGET = Target(take, (BundleError,), seeds)
