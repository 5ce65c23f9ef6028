"""Files that a node keeps and takes back: its keys, and the head of a backup."""

import io
from collections.abc import Iterator

from ledger.errors import LedgerError
from ledger.keys import KeyStretch, NodeKeys, keys_from_file, keys_to_file, needs_passphrase
from pannier.backup_file import new_head, read_head, write_backup
from pannier.errors import PannierError
from tests.fuzz.harness import Target
from tests.ledger.world import Drbg


def take(data: bytes) -> None:
    if data.startswith(b"pannier"):
        head, commitment = read_head(io.BytesIO(data))
        assert len(head.salt) == len(commitment) == 16
    elif not needs_passphrase(data):  # to try one would take too long
        assert keys_to_file(keys_from_file(data, None), None, bytes) == data


def seeds() -> Iterator[bytes]:
    keys = NodeKeys.generate("farm", Drbg("farm"))
    quick = KeyStretch(passes=1, lanes=1, memory_kib=8)
    yield keys_to_file(keys, None, Drbg("1"))
    yield keys_to_file(keys, "a passphrase", Drbg("2"), quick)
    for stretch in (None, quick):
        head = new_head(Drbg("3"), stretch)
        yield b"".join(write_backup(head, bytes(32), bytes(32), io.BytesIO(b"a ledger")))


TARGET = Target(take, (LedgerError, PannierError), seeds, longest=1024)
