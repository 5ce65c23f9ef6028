from collections.abc import Iterator
from hashlib import shake_256
from pathlib import Path

import pytest

from bundler.fragment import Fragment, mac_check
from bundler.limits import DEFAULT_LIMITS as LIMITS
from bundler.sealed import bundle_id
from bundler.split import Cut, split
from bundler.whole import Whole
from pannier.joining import join
from pannier.links import cargo
from pannier.links.cargo import FILE_BYTES, carried_files, own_files
from pannier.sending import prepare
from spool.name import BundleName, FragmentName
from tests.pannier.links.test_serve import put_long
from tests.sim.world import World

SEALED = shake_256(b"sealed").digest(200_000)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        yield world


def name_of(sealed: bytes) -> FragmentName:
    return FragmentName(4, 60_000, "00000000", bundle_id(sealed).hex(), 0)


def fragments_of(sealed: bytes, mtu_bytes: int) -> list[bytes]:
    cut = Cut(mtu_bytes=mtu_bytes, symbol_bytes=1000, check=mac_check(bytes(32)))
    return list(split(sealed, cut))


def test_a_bundle_for_somebody_else_goes_as_short_files_of_whole_fragments(world: World) -> None:
    put_long(world, "ada", 200_000)
    ada, bea = world["ada"], world["bea"].card.node_id
    (bundle,) = prepare(ada, ada.peer_named("bea"))
    files = own_files(ada, bea, BundleName.from_text(bundle.name))
    assert len(files) > 2
    for file in files:
        assert len(file.data) <= FILE_BYTES
        part = Fragment.from_bytes(file.data, lambda *_: True)
        assert part.payload_id == file.payload_id
    number = bytes.fromhex(bundle.bundle_id)
    assert isinstance(join(number, lambda: (one.data for one in files)), bytes)


def test_a_small_bundle_goes_whole(world: World) -> None:
    ada, bea = world["ada"], world["bea"].card.node_id
    (bundle,) = prepare(ada, ada.peer_named("bea"))
    (file,) = own_files(ada, bea, BundleName.from_text(bundle.name))
    assert bundle_id(Whole.from_bytes(file.data).sealed).hex() == bundle.bundle_id


def test_what_a_stick_brought_goes_as_it_is_or_in_parts_if_it_is_too_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = fragments_of(SEALED, 30_000)
    name, data = name_of(SEALED), b"".join(pieces)
    node = world["ada"]
    node.spool.carried.take({name: data}, "stick", today_days=0)
    carry = node.spool.carried.known()[name]
    assert [(one.payload_id, one.data) for one in carried_files(node, carry)] == [(0, data)]
    monkeypatch.setattr(cargo, "MAX_OBJECT_BYTES", 70_000)
    files = carried_files(node, carry)
    assert len(files) == 4
    assert b"".join(one.data for one in files) == data
    assert all(len(one.data) <= 70_000 for one in files)
    firsts = [Fragment.take(memoryview(one.data), 0, lambda *_: True, LIMITS)[0] for one in files]
    assert [one.payload_id for one in files] == [one.payload_id for one in firsts]
