"""Clear mode end to end: three must agree, and nothing confidential is ever seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler import codec, items
from bundler.cose import Sign1
from bundler.errors import UnencryptedError
from bundler.limits import DEFAULT_LIMITS
from bundler.notices import HaveSection, KeySection
from bundler.sealed import Sealed, SealedClear, SealedFull, parse_sealed
from bundler.sections import decode_sections
from ledger.genesis import Term
from ledger.members import Role
from pannier.import_report import Outcome
from pannier.joining import join
from pannier.ledgers import new_ledger
from pannier.membership import share
from spool.name import FragmentName
from tests.sim.world import World, assert_equal, fragments

BOTH = ("ada", "bea")
SECRET = "kingfisher-0417"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ada has a ledger for everybody's eyes and a confidential one; bea is in both."""
    with World(tmp_path, BOTH) as world:
        for name, terms in (("open", frozenset({Term.CLEAR})), ("secret", frozenset[Term]())):
            store = new_ledger(world["ada"], name, terms)
            share(world["ada"], store, world["ada"].peer_named("bea"), Role.WRITER)
        world.put("ada", "well", "for all to see", ledger="open")
        world.put("ada", SECRET, SECRET, ledger="secret")
        yield world


def agree(world: World, *names: str) -> None:
    for name in names:
        other = BOTH[1 - BOTH.index(name)]
        world.configure(name, f"[peer.{other}]\nclear = true\n")


def bundles(stick: Path) -> list[Sealed]:
    """All bundles on a stick, as whoever finds it sees them."""
    found = []
    for path in fragments(stick):
        number = bytes.fromhex(FragmentName.from_text(path.name).bundle_id)
        files = [path.read_bytes()]
        sealed = join(number, files.copy)
        assert isinstance(sealed, bytes)
        found.append(parse_sealed(sealed))
    return found


def readable(bundle: Sealed) -> bytes:
    """All that anybody reads in a clear bundle, the sections unpacked."""
    assert isinstance(bundle, SealedClear)
    reader = items.Reader(bundle.content)
    signed = Sign1.take(reader, limit_bytes=4096)
    plain = [signed.payload]
    while not reader.is_at_end():
        reader.array_of(3)
        reader.uint()
        is_compressed, body = reader.uint(), reader.view(1 << 24)
        plain.append(_unpacked(body) if is_compressed else bytes(body))
    return b"".join(plain)


def _unpacked(body: memoryview) -> bytes:
    return codec.decompress(body, limit_bytes=1 << 24, limits=DEFAULT_LIMITS)


def sections(bundle: Sealed) -> list[object]:
    assert isinstance(bundle, SealedClear)
    reader = items.Reader(bundle.content)
    Sign1.take(reader, limit_bytes=4096)
    return list(decode_sections(memoryview(bundle.content)[reader.at :]))


def test_a_ledger_made_for_it_travels_in_clear_and_arrives(world: World) -> None:
    agree(world, *BOTH)
    world.exchange("ada")
    (bundle,) = bundles(world.stick())
    assert b"for all to see" in readable(bundle)
    world.rounds(("bea", "ada"), 2)
    world.put("bea", "pump", 1, ledger="open")
    world.rounds(("bea", "ada", "bea"), 1)
    assert_equal(world, BOTH, ledger="open")
    for name in BOTH:
        assert world[name].db.rows("SELECT * FROM pairwise") == []


def test_a_confidential_ledger_stays_at_home_and_says_so(world: World) -> None:
    agree(world, *BOTH)
    secret = world.store("ada", "secret")
    problems = []
    for number in range(3):
        for name in BOTH:
            problems += world.exchange(name).problems
            for bundle in bundles(world.stick()):
                plain = readable(bundle)
                assert bytes(secret.ledger_id) not in plain
                assert SECRET.encode() not in plain
                assert b"secret" not in plain
        world.put("ada", f"well {number}", number, ledger="open")
    assert not world.has("bea", "secret")
    assert set(problems) == {
        "secret does not travel to bea: it is confidential, and nothing for bea is encrypted"
    }
    assert len(problems) == 3


def test_no_key_and_no_name_of_one_travels_in_clear(world: World) -> None:
    """Also where keys were exchanged before it was agreed that nothing be encrypted."""
    world.rounds(BOTH, 3)
    assert world["ada"].shared.pairwise_keys(world["ada"].peer_named("bea")) != {}
    agree(world, *BOTH)
    stick = world.stick("new")
    for _ in range(3):
        world.rounds(BOTH, 1, "new")
        for bundle in bundles(stick):
            for section in sections(bundle):
                assert not isinstance(section, KeySection)
                if isinstance(section, HaveSection):
                    assert section.key_ids == ()


@pytest.mark.parametrize("willing", BOTH)
def test_what_one_side_alone_agreed_to_is_refused(world: World, willing: str) -> None:
    agree(world, willing)
    other = BOTH[1 - BOTH.index(willing)]
    world.rounds(BOTH, 2)
    quarantined = [one.reason for one in world[other].spool.quarantine.list()]
    assert str(UnencryptedError()) in quarantined
    believed = world[other].db.peer(world[other].peer_named(willing).node_id)
    assert believed.have is None, "nothing in it was believed"
    assert all(isinstance(one, SealedClear) for one in _from(world, willing))
    assert all(isinstance(one, SealedFull) for one in _from(world, other))


def _from(world: World, name: str) -> list[Sealed]:
    """The bundles that a node has queued for the other."""
    node = world[name]
    (peer,) = node.peers.values()
    queued = node.spool.outbox.queued(peer.node_id)
    return [parse_sealed(node.spool.outbox.read(peer.node_id, one)) for one in queued]


def test_the_sender_of_a_refused_clear_bundle_is_told(world: World) -> None:
    agree(world, "ada")
    notes = []
    for _ in range(2):
        world.exchange("ada")
        assert Outcome.REFUSED in world.exchange("bea").report.outcomes.values()
        notes += world.exchange("ada").report.notes
    assert any(str(UnencryptedError()) in note for note in notes)


def test_what_waits_is_made_anew_when_something_else_is_agreed(world: World) -> None:
    world.exchange("ada")
    assert [type(one) for one in _from(world, "ada")] == [SealedFull]
    agree(world, "ada")
    world.rounds(["ada"], 2)
    assert [type(one) for one in _from(world, "ada")] == [SealedClear]
    assert [type(one) for one in bundles(world.stick())] == [SealedClear]
    world.configure("ada", "")
    world.rounds(["ada"], 2)
    assert [type(one) for one in bundles(world.stick())] == [SealedFull]


def test_a_receipt_in_clear_does_not_say_why(world: World) -> None:
    """The reason may name a ledger that is confidential."""
    agree(world, *BOTH)
    bea = world["bea"]
    ada = bea.peer_named("ada")
    bea.db.owe_receipt(ada.node_id, "0" * 16, f"it is about {SECRET}", 1)
    world.exchange("bea")
    (bundle,) = bundles(world.stick())
    assert SECRET.encode() not in readable(bundle)
    assert b"ask its people why" in readable(bundle)
