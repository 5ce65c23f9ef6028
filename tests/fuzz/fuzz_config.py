"""`config.toml`."""

from collections.abc import Iterator

from pannier.config import parse_config
from pannier.errors import PannierError
from tests.fuzz.harness import Target


def take(data: bytes) -> None:
    config = parse_config(data, "config.toml")
    for name in [*config.peers, "nobody"]:
        assert 48 <= config.peer(name).mtu <= 65_564


def seeds() -> Iterator[bytes]:
    yield b""
    yield b'ledger = "log"\n[spool]\ncarry_bytes = 1\npeer_bytes = 0x10\n'
    yield (
        b'[peer.home]\nmtu = 233\ntransports = ["directory"]\npriority = 0\noneway = true\n'
        b'repeat = 3\nimport = "review"\n[medium."blue stick"]\nimport = "review"\n'
    )
    yield b'[transport.drop]\nkind = "directory"\npath = "/srv/drop"\n'
    yield b'[transport.drop]\npath = "~nobody/drop"\n'
    yield b"[peer]\nhome = 5\n"
    yield b"mtu = " + b"1" * 5000


TARGET = Target(take, (PannierError,), seeds, longest=8192)
