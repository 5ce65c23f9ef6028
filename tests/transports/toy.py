"""A node as far as a transport can tell: it knows whose a name is, and its toy fragments.

A toy fragment is `<bundle id><length, 8 digits><SHA-256, 8 bytes><part>`; a bundle makes two.
"""

import itertools
from collections.abc import Iterator
from hashlib import sha256

from spool.file_system import FileSystem
from spool.name import BundleName, FragmentName
from spool.quotas import Quotas
from spool.tree import Spool
from tests.faults import counting_entropy
from transports.directory import Directory
from transports.medium import Medium
from transports.questions import Fate, Mine, Questions, Sifted, Verdict
from transports.terms import Terms

NOW_NS = 10 * 86_400 * 10**9
TERMS = Terms(today_days=50, now_ns=NOW_NS)
_HEAD_BYTES = 16 + 8 + 8
_pids = itertools.count(1)


def node_id(number: int) -> str:
    return f"{number:016x}"


class ToyNode:
    """Node *number* with its spool in *fs*; what it has merged survives everything."""

    def __init__(self, number: int, fs: FileSystem, quotas: Quotas | None = None) -> None:
        self.number = number
        self.fs = fs
        self.quotas = quotas
        self.merged: dict[str, bytes] = {}
        self.asked: list[FragmentName] = []
        self.restart(fs)

    def restart(self, fs: FileSystem) -> None:
        """Open the spool as a new process does."""
        self.fs = fs
        self.spool = Spool(fs, entropy=counting_entropy(), quotas=self.quotas, pid=next(_pids))
        self.spool.sweep(is_alive=lambda _: False, now_ns=NOW_NS)

    def queue(
        self, recipient: int, data: bytes, *, priority: int = 3, expiry_days: int = 100
    ) -> BundleName:
        """Queue a bundle for another node."""
        hint = f"{self.number:04x}{recipient:04x}"
        bundle_id = sha256(data).hexdigest()[:16]
        name = BundleName(priority, expiry_days, hint, bundle_id, 8)
        self.spool.outbox.publish(node_id(recipient), name, data)
        return name

    def merge(self) -> None:
        """Join what has arrived, and remember it before the fragments go."""
        for bundle_id in self.spool.inbox.bundles():
            parts = [
                part for each in self.spool.inbox.read(bundle_id) for part in _split(each.data)
            ]
            data = b"".join(dict(parts)[index] for index in sorted(dict(parts)))
            if sha256(data).hexdigest()[:16] == bundle_id:
                self.merged[bundle_id] = data
                self.spool.inbox.discard(bundle_id)

    def at(self, medium: Medium) -> Directory:
        return Directory(medium, self.spool, Questions(self.whose, self.sift, self.fragments))

    def whose(self, name: FragmentName) -> Verdict:
        self.asked.append(name)
        sender, recipient = int(name.hint[:4], 16), int(name.hint[4:], 16)
        if sender == self.number:
            return Fate.OURS
        if recipient != self.number:
            return Fate.OTHER
        return Fate.SEEN if name.bundle_id in self.merged else Mine(node_id(sender))

    def sift(self, name: FragmentName, peer: str | None, data: bytes) -> Sifted:
        """Keep what stands before the first damage, or all of it for others, who judge it."""
        if not data.startswith(name.bundle_id.encode()):
            return Sifted(b"", int(len(data) > _HEAD_BYTES))
        length = sum(_HEAD_BYTES + len(part) for _, part in _split(data))
        is_whole = len(data) >= _HEAD_BYTES and len(data) >= _HEAD_BYTES + int(data[17:24])
        forged = int(is_whole and length < len(data))
        return Sifted(data if peer is None and length else data[:length], forged)

    def fragments(self, peer: str, name: BundleName) -> Iterator[bytes]:
        data = self.spool.outbox.read(peer, name)
        half = len(data) // 2
        yield _fragment(name.bundle_id, 0, data[:half])
        yield _fragment(name.bundle_id, 1, data[half:])


def toy_file(data: bytes) -> bytes:
    """Return the whole file of fragments of a bundle."""
    bundle_id, half = sha256(data).hexdigest()[:16], len(data) // 2
    return _fragment(bundle_id, 0, data[:half]) + _fragment(bundle_id, 1, data[half:])


def medium_in(fs: FileSystem) -> Medium:
    return Medium.attach(fs, entropy=counting_entropy())


def _fragment(bundle_id: str, index: int, part: bytes) -> bytes:
    head = f"{bundle_id}{index}{len(part):07d}".encode()
    return head + sha256(head + part).digest()[:8] + part


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEAD_BYTES:
        head, check = data[:24], data[24:_HEAD_BYTES]
        try:
            index, length = int(head[16:17]), int(head[17:24])
        except ValueError:
            return
        part, data = data[_HEAD_BYTES : _HEAD_BYTES + length], data[_HEAD_BYTES + length :]
        if sha256(head + part).digest()[:8] != check:
            return
        yield index, part
