import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, WrongPassphraseError
from ledger.keys import KeyStretch
from ledger.rest import RestKey
from pannier.backup_file import new_head, read_backup, read_head, write_backup
from pannier.errors import PannierError
from tests.ledger.world import Drbg
from tests.vectors import FOLDER

NODE = RestKey(bytes(range(32)))
KEY = bytes(range(100, 132))
CHEAP = KeyStretch(passes=1, lanes=1, memory_kib=8)


def opened(data: bytes, passphrase: str | None, node: RestKey = NODE) -> tuple[bytes, bytes]:
    file = io.BytesIO(data)
    head, commitment = read_head(file)
    key, pieces = read_backup(head, commitment, head.secret(passphrase, node), file)
    return key, b"".join(pieces)


def made(content: bytes, passphrase: str | None = None, label: str = "backup") -> bytes:
    head = new_head(Drbg(label), CHEAP if passphrase is not None else None)
    return b"".join(write_backup(head, head.secret(passphrase, NODE), KEY, io.BytesIO(content)))


@pytest.mark.parametrize("path", sorted((FOLDER / "backup").glob("*.json")), ids=lambda p: p.stem)
def test_vector(path: Path) -> None:
    case = json.loads(path.read_text())
    node = RestKey(bytes.fromhex(case["rest_key"]))
    data = bytes.fromhex(case["backup"])
    if case["expect"] == "success":
        found = opened(data, case["passphrase"], node)
        assert found == (bytes.fromhex(case["ledger_key"]), bytes.fromhex(case["file"]))
    elif case["expect"] == "refused":
        with pytest.raises(WrongPassphraseError):
            opened(data, case["passphrase"], node)
    else:
        with pytest.raises(PannierError):
            opened(data, case["passphrase"], node)


@pytest.mark.parametrize("size", [0, 1, 65536 - 32, 65536 - 31, 65536, 2 * 65536 - 32, 200_000])
@pytest.mark.parametrize("passphrase", [None, "pass"])
def test_a_file_of_any_size_comes_back_and_its_key(size: int, passphrase: str | None) -> None:
    content = bytes(number % 251 for number in range(size))
    data = made(content, passphrase)
    assert opened(data, passphrase) == (KEY, content)
    assert content[:40] not in data or size < 8
    assert KEY not in data


def test_chunks_cannot_be_cut_moved_or_repeated() -> None:
    data = made(bytes(3 * 65536))
    chunk = 65536 + 16
    start = len(data) - 3 * chunk - (32 + 16)
    head, body = data[:start], data[start:]
    one, two, three, end = (body[n : n + chunk] for n in range(0, len(body), chunk))
    for altered in (
        one,
        one + two,
        one + end,
        two + one + three + end,
        one + one,
        one + two + three,
    ):
        with pytest.raises(PannierError, match="cut off or altered"):
            opened(head + altered, None)


def test_it_opens_for_its_passphrase_or_its_node_only() -> None:
    with pytest.raises(WrongPassphraseError, match="wrong passphrase"):
        opened(made(b"file", "right"), "wrong")
    with pytest.raises(WrongPassphraseError, match="under a passphrase"):
        opened(made(b"file", "right"), None)
    with pytest.raises(WrongPassphraseError, match="keys of another node"):
        opened(made(b"file"), None, RestKey(bytes(32)))


def test_no_two_backups_are_under_the_same_key() -> None:
    one, two = (made(bytes(100), "pass", label) for label in ("one", "two"))
    assert one[-100:] != two[-100:]


@given(data=st.binary(max_size=120), is_ours=st.booleans())
def test_any_bytes_are_refused_and_nothing_worse(data: bytes, is_ours: bool) -> None:
    with pytest.raises((PannierError, LedgerError)):
        opened((b"pannier backup 1\n" + bytes(8) if is_ours else b"") + data, None)
