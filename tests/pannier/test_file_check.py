import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.blob import CHUNK_BYTES
from pannier import ledgers
from pannier.file_check import check_contents
from pannier.node import Node
from tests.cli.computers import new_computer
from tests.pannier.folders import put_file, store_of

NOISE = os.urandom(3 * CHUNK_BYTES)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


def pack_of(node: Node) -> Path:
    (pack,) = store_of(node).blobs.folder.iterdir()
    return pack


def test_all_chunks_are_read(node: Node) -> None:
    put_file(node, "a", NOISE)
    checked = list(check_contents(store_of(node)))
    assert [(one.fault, one.place.span.size) for one in checked] == [(None, CHUNK_BYTES)] * 3


@pytest.mark.parametrize("at", [100, CHUNK_BYTES + 100, 47, 60])
def test_what_is_altered_is_said_and_missing_from_then_on(node: Node, at: int) -> None:
    put_file(node, "a", NOISE)
    store = store_of(node)
    data = bytearray(pack_of(node).read_bytes())
    data[at] ^= 0x10
    pack_of(node).write_bytes(data)
    faults = [one for one in check_contents(store) if one.fault]
    assert len(faults) == 1
    assert faults[0].is_lost
    assert store.file_entries.lacking().chunks == 1
    assert not [one for one in check_contents(store) if one.fault]
    put_file(node, "b", NOISE)
    assert store.file_entries.lacking().chunks == 0


def test_a_pack_that_is_cut_off_loses_only_what_was_behind(node: Node) -> None:
    put_file(node, "a", NOISE)
    os.truncate(pack_of(node), CHUNK_BYTES + 500)
    assert [one.is_lost for one in check_contents(store_of(node))] == [False, True, True]
    assert store_of(node).file_entries.lacking().chunks == 2


def test_a_disk_that_cannot_read_loses_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    put_file(node, "a", NOISE)

    def unreadable(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", unreadable)
        faults = [one for one in check_contents(store_of(node)) if one.fault]
    assert [one.is_lost for one in faults] == [False] * 3
    assert store_of(node).file_entries.lacking().chunks == 0
