"""The `medium.json` of a stick."""

from collections.abc import Iterator

from tests.fuzz.harness import Target
from transports.errors import TransportError
from transports.identity import Identity, parse_identity


def take(data: bytes) -> None:
    identity = parse_identity(data)
    if identity is not None:
        assert parse_identity(identity.to_bytes()) == identity


def seeds() -> Iterator[bytes]:
    yield Identity("0123456789abcdef", "blue stick").to_bytes()
    yield b'{"id": "0123456789abcdef", "label": null, "version": 2}'
    yield b'{"id": "0123456789abcdef", "label": "\\u202e\\ud800", "version": true}'
    yield b"[" * 2000


TARGET = Target(take, (TransportError,), seeds)
