import pytest

from tests.vectors import load
from transports.link.session import derive_keys

VECTORS = {k: v for k, v in load("link").items() if v["operation"] == "keys"}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    vector = VECTORS[name]
    given = [bytes.fromhex(vector[field]) for field in ("node_id", "nonce", "peer", "peer_nonce")]
    keys = derive_keys(*given)
    assert (keys.sending.hex(), keys.receiving.hex()) == (vector["sending"], vector["receiving"])


def test_every_part_matters() -> None:
    given = [bytes([n]) * 16 for n in range(4)]
    keys = derive_keys(*given)
    for index in range(4):
        other = [value if at != index else b"z" * 16 for at, value in enumerate(given)]
        assert derive_keys(*other) != keys
    assert derive_keys(*given[2:], *given[:2]).sending == keys.receiving
