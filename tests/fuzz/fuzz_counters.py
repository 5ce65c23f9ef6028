"""What a link has counted, as it stands in a small file of the home."""

import json
from collections.abc import Iterator

from pannier.link_counters import counters_from, ever_worked, is_running, link_text
from tests.fuzz.harness import Target


class NoneError(Exception):
    """The file counts as not there."""


def take(data: bytes) -> None:
    counters = counters_from(data)
    if counters is None:
        raise NoneError
    for now_us in (0, 2**60):
        is_running(counters, now_us)
        assert link_text(counters, now_us)
    ever_worked(counters)


def seeds() -> Iterator[bytes]:
    plain = {"name": "farm", "peer": "home", "is_established": True, "updated_us": 1}
    for more in (
        {},
        {"since_us": 2**70, "seen_us": -(2**70), "payload_in": 1e300},
        {"oneway": "sends", "bundles": 3, "rounds_least": 1, "rounds_most": 2},
        {"oneway": 7, "seen_us": 5, "kept": True, "forged": 9},
    ):
        yield json.dumps(plain | more).encode()
    yield b"[" * 3000
    yield b'{"name": "a", "n": ' + b"9" * 5000 + b"}"


TARGET = Target(take, (NoneError,), seeds, longest=4096)
