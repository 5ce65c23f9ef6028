"""The file that `ledger backup` writes (docs/format.md section 9.4): a ledger file, encrypted.

It holds the key that the ledger file is under, so that a node with other keys can take it back.
"""

import struct
from collections.abc import Callable, Iterator
from typing import IO

from bundler.errors import BundleError
from bundler.stream import decrypt_chunks, encrypt_chunks
from ledger.errors import LedgerError, WrongPassphraseError
from ledger.kdf import derive
from ledger.keys import Entropy, KeyStretch
from ledger.lazy_dataclass import dataclass
from ledger.rest import RestKey
from pannier.errors import PannierError

KEY_BYTES = 32
_MAGIC = b"pannier backup "
_VERSION = b"1\n"
_HEAD = struct.Struct("<HHI16s16s")
_SALT_BYTES = 16
_COMMITMENT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupHead:
    """What a backup says before it is opened.

    Attributes:
        stretch: How its passphrase becomes a key; None: it is under the keys of its node.
        salt: 16 bytes, another for each backup.
    """

    stretch: KeyStretch | None
    salt: bytes

    def fields(self) -> tuple[int, int, int, bytes]:
        """Return the fields as they are written."""
        cost = self.stretch
        numbers = (cost.passes, cost.lanes, cost.memory_kib) if cost else (0, 0, 0)
        return (*numbers, self.salt)

    def secret(self, passphrase: str | None, node: RestKey) -> bytes:
        """Return the 32 bytes that all keys of the backup come from.

        Raises:
            WrongPassphraseError: it is under a passphrase and there is none.
        """
        if self.stretch is None:
            return node.key
        if passphrase is None:
            raise WrongPassphraseError("the backup is under a passphrase")
        return self.stretch.derive(passphrase, self.salt)


def new_head(entropy: Entropy, stretch: KeyStretch | None) -> BackupHead:
    """Return the head of a new backup; without *stretch* it is under the node's keys."""
    return BackupHead(stretch=stretch, salt=entropy(_SALT_BYTES))


def write_backup(
    head: BackupHead, secret: bytes, ledger_key: bytes, file: IO[bytes]
) -> Iterator[bytes]:
    """Yield the bytes of a backup.

    Args:
        head: Of this backup and no other: its salt makes the keys.
        secret: `BackupHead.secret`.
        ledger_key: 32 bytes, what the ledger file is under.
        file: The ledger file, open at its beginning.
    """
    yield _MAGIC + _VERSION + _HEAD.pack(*head.fields(), _commitment(head, secret))
    yield from encrypt_chunks(_key(head, secret), _joined(ledger_key, file))


def read_head(file: IO[bytes]) -> tuple[BackupHead, bytes]:
    """Return the head of the backup in *file*, and its commitment to a secret.

    Raises:
        PannierError: it is no backup, or one that only a newer pannier reads.
    """
    start = file.read(len(_MAGIC) + len(_VERSION))
    if not start.startswith(_MAGIC):
        raise PannierError("it is not a backup that `pannier ledger backup` wrote")
    if start[len(_MAGIC) :] != _VERSION:
        raise PannierError("it is a backup of a later version: update pannier to read it")
    data = file.read(_HEAD.size)
    if len(data) < _HEAD.size:
        raise PannierError("the backup is damaged: it was cut off")
    *numbers, salt, commitment = _HEAD.unpack(data)
    if not any(numbers):
        return BackupHead(stretch=None, salt=salt), commitment
    stretch = KeyStretch(passes=numbers[0], lanes=numbers[1], memory_kib=numbers[2])
    try:
        stretch.check()
    except LedgerError as error:
        raise PannierError(f"the backup is damaged: {error}") from error
    return BackupHead(stretch=stretch, salt=salt), commitment


def read_backup(
    head: BackupHead, commitment: bytes, secret: bytes, file: IO[bytes]
) -> tuple[bytes, Iterator[bytes]]:
    """Return the key of the ledger file, and the file in pieces; it counts only when all came.

    Args:
        head: As `read_head` returned it.
        commitment: Likewise.
        secret: `BackupHead.secret`.
        file: Open where `read_head` stopped.

    Raises:
        WrongPassphraseError: *secret* is another than the backup was made with.
        PannierError: the backup was cut off or altered; also while the pieces are read.
    """
    if commitment != _commitment(head, secret):
        raise WrongPassphraseError(
            "wrong passphrase for the backup (or a damaged one)"
            if head.stretch
            else "the backup is under the keys of another node: only they open it"
        )
    pieces = _opened(_key(head, secret), file.read)
    start = next(pieces)
    if len(start) < KEY_BYTES:
        raise PannierError("the backup is damaged: it is too short")

    def rest() -> Iterator[bytes]:
        yield start[KEY_BYTES:]
        yield from pieces

    return start[:KEY_BYTES], rest()


def _opened(key: bytes, read: Callable[[int], bytes]) -> Iterator[bytes]:
    try:
        yield from decrypt_chunks(key, read)
    except BundleError as error:
        raise PannierError("the backup is damaged: it was cut off or altered") from error


def _joined(first: bytes, file: IO[bytes]) -> Callable[[int], bytes]:
    """Return what reads *first* and then *file*."""

    def read(count: int) -> bytes:
        nonlocal first
        taken, first = first[:count], first[count:]
        return taken + file.read(count - len(taken))

    return read


def _key(head: BackupHead, secret: bytes) -> bytes:
    return derive(secret, b"pannier backup 1\0" + _bound(head))


def _commitment(head: BackupHead, secret: bytes) -> bytes:
    derived = derive(secret, b"pannier backup commitment 1\0" + _bound(head))
    return derived[:_COMMITMENT_BYTES]


def _bound(head: BackupHead) -> bytes:
    """Return what of the head the keys are bound to: all but the commitment."""
    return _HEAD.pack(*head.fields(), bytes(_COMMITMENT_BYTES))[:-_COMMITMENT_BYTES]
