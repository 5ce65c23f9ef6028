from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from bundler.fragment import Fragment, fits, is_plausible, mac_check
from bundler.sealed import bundle_id
from bundler.sequence import parse_sequence
from bundler.whole import START, Whole
from pannier.answers import fragments, questions, sift, whose
from spool.errors import StorageError
from spool.name import BundleName, FragmentName
from tests.sim import attacks
from tests.sim.world import World
from transports.questions import Fate, Mine, Sifted

LONG = "".join(sha256(b"%d" % number).hexdigest() for number in range(50))
"""Too much for one frame."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea")
        world.put("ada", "well", LONG)
        world.exchange("ada")
        yield world


def queued(world: World) -> tuple[str, BundleName]:
    bea = world["ada"].peer_named("bea").node_id
    (name,) = world["ada"].spool.outbox.queued(bea)
    return bea, name


def test_whose_a_name_is(world: World) -> None:
    _, name = queued(world)
    fragment = name.fragment(0)
    assert whose(world["ada"], fragment) == Fate.OURS
    assert whose(world["bea"], fragment) == Mine(world["ada"].card.node_id)
    assert whose(world["cyd"], fragment) == Fate.OTHER
    world.exchange("bea")
    assert whose(world["bea"], fragment) == Fate.SEEN


def test_a_name_with_another_hint_is_somebody_elses(world: World) -> None:
    _, name = queued(world)
    other = FragmentName(name.priority, name.expiry_days, "00000000", name.bundle_id, 0)
    assert whose(world["bea"], other) == Fate.OTHER


def test_every_fragment_bears_the_check_of_the_two(world: World) -> None:
    bea, name = queued(world)
    data = b"".join(fragments(world["ada"], bea, name))
    key = world["bea"].shared.fragment_key_from(world["ada"].card.node_id)
    assert key == world["ada"].shared.fragment_key_to(bea)
    for part in parse_sequence(data, fits(mac_check(key))):
        assert isinstance(part, Fragment)
        assert part.bundle_id.hex() == name.bundle_id
    asked = questions(world["bea"])
    assert asked.sift(name.fragment(0), world["ada"].card.node_id, data) == Sifted(data, 0)


def test_only_its_sender_can_make_a_fragment_for_this_node(world: World) -> None:
    """Nor can this node itself, nor another peer; the checksum of a stranger counts for nothing."""
    bea, name = queued(world)
    data = b"".join(fragments(world["ada"], bea, name))
    part = Fragment.from_bytes(data, is_plausible)
    body = part.to_bytes()[: -1 - len(part.check)]
    ada, node = world["ada"].card.node_id, world["bea"]
    for check in (
        attacks.check_of(world["bea"], world["ada"]),
        attacks.check_of(world["cyd"], world["bea"]),
        attacks.check_of(world["ada"], world["cyd"]),
    ):
        forged = body + b"\x48" + check(body)
        assert sift(node, name.fragment(0), ada, forged) == Sifted(b"", 1)
        assert sift(node, name.fragment(0), ada, forged + data) == Sifted(data, 1)


def test_a_carrier_keeps_what_it_cannot_judge(world: World) -> None:
    bea, name = queued(world)
    data = b"".join(fragments(world["ada"], bea, name))
    forged = data[:-1] + bytes([data[-1] ^ 1])
    cyd = world["cyd"]
    assert sift(cyd, name.fragment(0), None, data + forged) == Sifted(data + forged, 0)
    other = name.fragment(0).to_text().replace(name.bundle_id, "0" * 16)
    assert sift(cyd, FragmentName.from_text(other), None, data) == Sifted(b"", 1)
    assert sift(cyd, name.fragment(0), None, b"rubbish") == Sifted(b"", 0)


def test_a_bundle_that_the_disk_spoiled_is_made_anew(world: World) -> None:
    bea, name = queued(world)
    (path,) = (world["ada"].home.spool / "out" / bea).iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StorageError, match="made anew"):
        list(fragments(world["ada"], bea, name))
    assert world["ada"].spool.outbox.queued(bea) == []
    world.exchange("ada")
    _, again = queued(world)
    data = b"".join(fragments(world["ada"], bea, again))
    found = [part for part in parse_sequence(data, is_plausible) if isinstance(part, Fragment)]
    sealed = world["ada"].spool.outbox.read(bea, again)
    assert [part.bundle_id for part in found] == [bundle_id(sealed)]


def test_what_fits_a_frame_travels_whole(world: World) -> None:
    _, long = queued(world)
    world.put("ada", "well", 1)
    world.exchange("ada")
    bea = world["ada"].peer_named("bea").node_id
    (short,) = set(world["ada"].spool.outbox.queued(bea)) - {long}
    (data,) = fragments(world["ada"], bea, short)
    assert Whole.from_bytes(data).sealed == world["ada"].spool.outbox.read(bea, short)
    assert len(data) <= 1400
    data, *_ = fragments(world["ada"], bea, long)
    assert not bytes(data).startswith(START)
