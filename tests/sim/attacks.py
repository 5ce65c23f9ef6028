"""What a hostile stick, courier or member does, by name.

A courier has bytes; a member has keys, too: it can seal whatever it likes for its peers.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bundler import items
from bundler.content import Recipient, pack_full
from bundler.entry_encodings import encode_entries
from bundler.fragment import Check, crc_check, fragment_body, fragment_head, mac_check
from bundler.head import Stamp
from bundler.log_section import LogSection
from bundler.seal import Sealer
from bundler.sealed import Header, bundle_id
from bundler.sections import encode_section
from bundler.split import Cut, split
from ledger.log import LogState
from ledger.store import Store
from pannier.answers import MEDIUM_FRAGMENT_BYTES
from pannier.node import Node
from spool.name import FragmentName
from tests.bundler.doubles import CountedEntropy, CountedWrapper
from tests.sim.world import World

SYMBOL_BYTES = 1360
EXPIRY_DAYS = 2400


# -- what a courier can do ------------------------------------------------------------------------


def flipped_bits(data: bytes) -> Iterator[bytes]:
    """Every way to flip one bit."""
    for index in range(len(data)):
        for bit in range(8):
            yield flipped(data, index, bit)


def flipped_bytes(data: bytes) -> Iterator[bytes]:
    """One bit flipped in every byte, another one in the next."""
    for index in range(len(data)):
        yield flipped(data, index, index % 8)


def flipped(data: bytes, index: int, bit: int) -> bytes:
    return data[:index] + bytes([data[index] ^ 1 << bit]) + data[index + 1 :]


def truncated(data: bytes) -> Iterator[bytes]:
    """Everything that is shorter."""
    for end in range(len(data)):
        yield data[:end]


def forged_fragment(
    number: bytes, *, transfer: int, symbol: int, payload_id: int, check: Check = crc_check
) -> bytes:
    """A fragment of any parameters, and with the checksum that belongs to it, or another check."""
    body = fragment_body(fragment_head(number, transfer, symbol), payload_id, bytes(symbol))
    return body + items.byte_string(check(body))


def fifo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


# -- what a member can do -------------------------------------------------------------------------


def stamp_of(node: Node) -> Stamp:
    """The next stamp of a node, as it would count itself."""
    return node.counting.stamp()


def sealed_by(
    sender: Node,
    recipient: Node,
    sections: Sequence[bytes],
    *,
    stamp: Stamp | None = None,
    header: Header | None = None,
) -> bytes:
    """A bundle of any sections, signed and sealed as it should be."""
    stamp = stamp or stamp_of(sender)
    draw = f"attack {stamp.counter}"
    return pack_full(
        sections,
        header=header or Header(4, EXPIRY_DAYS),
        stamp=stamp,
        signing_key=sender.keys.signing,
        recipients=[Recipient(recipient.card.author, recipient.card.hpke_key)],
        sealer=Sealer(CountedEntropy(draw), CountedWrapper(draw)),
    )


def raw_section(kind: int, codec: int, body: bytes) -> bytes:
    """A section of any type, codec and body."""
    return items.array_head(3) + items.uint(kind) + items.uint(codec) + items.byte_string(body)


def log_section(store: Store, state: LogState, first: int, end: int) -> LogSection:
    """Entries of a log, as they stand, for somebody who has none of them."""
    encoding, entries, _ = encode_entries(store.columns(state, first, end))
    return LogSection(
        ledger=store.ledger_id,
        author=state.name.author,
        incarnation=state.name.incarnation,
        first=first,
        cover=state.cover,
        checkpoint=store.checkpoints(state, end - 1, end)[0],
        encoding=encoding,
        entries=entries,
    )


def own_entries(node: Node, store: Store, first: int = 0, end: int | None = None) -> bytes:
    """The entries that *node* wrote itself, as a section."""
    (state,) = [log for log in store.logs() if log.name.author == node.card.author]
    return encode_section(log_section(store, state, first, state.size if end is None else end))


# -- onto a stick ---------------------------------------------------------------------------------


def name_for(sender: Node, recipient: Node, sealed: bytes, payload_id: int = 0) -> FragmentName:
    """The name that only the two of them can make."""
    number = bundle_id(sealed)
    hint = sender.shared.hint_to(sender.peers[recipient.card.node_id], number)
    return FragmentName(4, EXPIRY_DAYS, hint.hex(), number.hex(), payload_id)


def check_of(sender: Node, recipient: Node) -> Check:
    """The check that only the two of them can make."""
    return mac_check(sender.shared.fragment_key_to(recipient.card.node_id))


def drop(stick: Path, name: FragmentName, parts: Iterable[bytes]) -> Path:
    """Write a file of fragments where it belongs."""
    path = stick / "pannier" / name.bundle_id[:2] / name.to_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path


def leave(world: World, sender: str, recipient: str, sealed: bytes, stick: str = "stick") -> Path:
    """Leave a sealed bundle on a stick as its sender would."""
    name = name_for(world[sender], world[recipient], sealed)
    check = check_of(world[sender], world[recipient])
    cut = Cut(mtu_bytes=MEDIUM_FRAGMENT_BYTES, symbol_bytes=SYMBOL_BYTES, check=check)
    return drop(world.stick(stick), name, split(sealed, cut))
