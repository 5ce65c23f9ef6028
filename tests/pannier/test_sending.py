"""What is made for a peer, and what becomes of it while it waits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.content import open_bundle
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.plan import Span
from bundler.tail_section import TailSection
from ledger.append import Draft
from ledger.log import MAX_BATCH_BYTES
from ledger.members import Role
from ledger.padding import padme_bytes
from pannier.errors import BusyError
from pannier.importing import keyring
from pannier.ledgers import put
from pannier.lock import exclusive
from pannier.membership import share
from pannier.out_bundle import OutBundle
from pannier.sending import prepare
from spool.name import BundleName
from tests.sim.world import World, assert_equal, data_queue

NAMES = ("ada", "bea")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.put("ada", "well", 1)
        yield world


def make(world: World, *, mtu: int | None = None, medium: str | None = None) -> list[OutBundle]:
    ada = world["ada"]
    return prepare(ada, ada.peer_named("bea"), mtu=mtu, medium=medium)


def hand_out(world: World, bundles: list[OutBundle], medium: str = "stick") -> None:
    for one in bundles:
        world["ada"].db.note_written(one.bundle_id, medium, 1, [one.peer])


def spans(world: World, bundle: OutBundle) -> list[Span]:
    return [span for _, _, span in world["ada"].db.spans(bundle.bundle_id)]


def sections(world: World, bundle: OutBundle) -> list[object]:
    """What bea finds in a bundle."""
    sealed = world["ada"].spool.outbox.read(bundle.peer, BundleName.from_text(bundle.name))
    return list(open_bundle(sealed, keyring(world["bea"])).sections())


def test_what_waits_says_what_it_is(world: World) -> None:
    (bundle,) = make(world)
    name = BundleName.from_text(bundle.name)
    assert world["ada"].spool.outbox.queued(bundle.peer) == [name]
    assert name.bundle_id == bundle.bundle_id
    assert name.priority == 4
    assert name.symbol_bytes % 8 == 0
    assert bundle.size_bytes == world["ada"].spool.outbox.size_bytes(bundle.peer, name)
    assert (bundle.state, bundle.control, bundle.written) == ("queued", False, 0)
    assert spans(world, bundle) == [Span(0, 2)]


def test_what_was_not_handed_out_is_made_anew_together_with_what_is_new(world: World) -> None:
    (first,) = make(world)
    world.put("ada", "well", 2)
    (second,) = make(world)
    assert spans(world, second) == [Span(0, 3)]
    assert world["ada"].db.bundle(first.bundle_id) is None
    assert len(world["ada"].spool.outbox.queued(first.peer)) == 1


def test_what_was_handed_out_stays_and_only_the_rest_follows(world: World) -> None:
    first = make(world)
    hand_out(world, first)
    assert [one.bundle_id for one in make(world)] == [first[0].bundle_id]
    world.put("ada", "well", 2)
    again, second = make(world)
    assert again.bundle_id == first[0].bundle_id
    assert spans(world, second) == [Span(2, 3)]


def test_what_was_refused_or_expired_is_made_again(world: World) -> None:
    for state in ("refused", "expired", "replaced"):
        bundles = make(world)
        hand_out(world, bundles)
        world["ada"].db.end_bundle(bundles[0].bundle_id, state)
        (again,) = make(world)
        assert spans(world, again) == [Span(0, 2)]


def test_smaller_frames_need_another_bundle(world: World) -> None:
    bundles = make(world)
    hand_out(world, bundles)
    (small,) = make(world, mtu=200)
    assert BundleName.from_text(small.name).symbol_bytes == (200 - 36) // 8 * 8
    assert spans(world, small) == [Span(0, 2)]
    old = world["ada"].db.bundle(bundles[0].bundle_id)
    assert old is not None
    assert old.state == "replaced"
    hand_out(world, [small])
    assert [one.bundle_id for one in make(world)] == [small.bundle_id], "large frames take it, too"


def test_the_first_bundle_says_all_and_the_others_only_carry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pannier.load.DEFAULT_LIMITS", replace(DEFAULT_LIMITS, sections=5))
    for ledger in ("two", "three", "four"):
        world.found("ada", "bea", ledger=ledger)
    made = make(world)
    kinds = [[type(one).__name__ for one in sections(world, bundle)] for bundle in made]
    assert kinds[0][:2] == ["KeySection", "HaveSection"]
    assert kinds[0].count("GenesisSection") == 4
    assert [kind for kinds_of in kinds for kind in kinds_of].count("LogSection") == 4
    assert all(set(later) == {"LogSection"} for later in kinds[1:])
    assert all(len(spans(world, bundle)) <= 5 for bundle in made)
    hand_out(world, made)
    for _ in range(2):
        world.rounds(NAMES, 1)
    for ledger in ("log", "two", "three", "four"):
        assert_equal(world, NAMES, ledger)


def test_no_bundle_becomes_a_bomb(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What shrinks well is bounded by what it becomes when it is opened."""
    tight = replace(DEFAULT_LIMITS, decoded_bytes=800)
    monkeypatch.setattr("pannier.load.DEFAULT_LIMITS", tight)
    for ledger in ("two", "three", "four"):
        world.found("ada", "bea", ledger=ledger)
    made = make(world)
    assert len(made) > 1
    for bundle in made:
        logs = [one for one in sections(world, bundle) if isinstance(one, LogSection)]
        assert len(logs) == 1 or sum(len(one.entries) for one in logs) <= 400


def test_grants_go_before_what_they_allow(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea")
        world.rounds(NAMES, 2)
        world.put("bea", "well", 1)
        world.rounds(NAMES, 2)
        share(world["ada"], world.store("ada"), world["ada"].peer_named("cyd"), Role.WRITER)
        bea = world["bea"]
        world.rounds(NAMES, 1)
        (bundle,) = prepare(bea, bea.peer_named("cyd"))
        authors = [log.author for _, log, _ in _rows_in_order(world, bundle)]
        assert authors[0] == world["ada"].card.author
        assert set(authors) == {world["ada"].card.author, bea.card.author}


def _rows_in_order(world: World, bundle: OutBundle) -> list[tuple[bytes, LogSection, int]]:
    sealed = world["bea"].spool.outbox.read(bundle.peer, BundleName.from_text(bundle.name))
    found = open_bundle(sealed, keyring(world["cyd"])).sections()
    return [(one.ledger, one, one.first) for one in found if isinstance(one, LogSection)]


def test_a_backlog_of_long_names_is_cut_so_that_it_can_be_taken(world: World) -> None:
    """Most of its bytes are names: sections are cut by what counts for the recipient."""
    for batch in range(6):
        drafts = [
            Draft(thing=f"{batch}/{number:03}/" + "n" * 240, payload=b"\x00", time_us=number)
            for number in range(800)
        ]
        put(world["ada"], world.store("ada"), [*drafts, *_heavy(batch)])
    (bundle,) = make(world)
    assert len(spans(world, bundle)) == 2
    world.rounds(NAMES, 2)
    assert len(data_queue(world["ada"])) == 0
    sizes = [log.size for log in world.store("bea").logs()]
    assert sizes == [2 + 6 * 810]


def _heavy(batch: int) -> list[Draft]:
    payload = b"\x5a" + (MAX_BATCH_BYTES // 50).to_bytes(4, "big") + bytes(MAX_BATCH_BYTES // 50)
    return [
        Draft(thing=f"heavy/{batch}/{number}", payload=payload, time_us=number)
        for number in range(10)
    ]


def test_files_that_nobody_knows_of_are_cleared_away(world: World) -> None:
    (bundle,) = make(world)
    stray = replace(BundleName.from_text(bundle.name), bundle_id="e" * 16)
    world["ada"].spool.outbox.publish(bundle.peer, stray, b"stray")
    make(world)
    assert stray not in world["ada"].spool.outbox.queued(bundle.peer)


def test_a_bundle_whose_file_is_gone_is_made_again(world: World) -> None:
    bundles = make(world)
    hand_out(world, bundles)
    name = BundleName.from_text(bundles[0].name)
    world["ada"].spool.outbox.withdraw(bundles[0].peer, name)
    (again,) = make(world)
    assert spans(world, again) == [Span(0, 2)]
    assert any(type(one).__name__ == "HaveSection" for one in sections(world, again))


def test_a_notice_that_got_no_carrier_is_not_taken_for_told(world: World) -> None:
    world.rounds(NAMES, 2)
    ada = world["ada"]
    ada.db.owe_receipt(world["bea"].card.node_id, "c" * 16, "", 1)
    (notice,) = make(world)
    assert notice.control
    (again,) = make(world)
    assert again.control
    assert again.bundle_id != notice.bundle_id
    hand_out(world, [again], "blue")
    assert make(world, medium="blue") == []
    assert [one.bundle_id for one in make(world, medium="red")] == [again.bundle_id]


@pytest.mark.parametrize("count", [1, 40, 700])
def test_a_padded_bundle_has_one_of_few_sizes(world: World, count: int) -> None:
    """Under a key of the two as well as without."""
    world.configure("ada", "[peer.bea]\npad = true\n")
    for _ in range(2):
        world.put_many("ada", count, prefix=f"{count}")
        (bundle,) = [one for one in make(world) if not one.control]
        assert padme_bytes(bundle.size_bytes) == bundle.size_bytes
        assert any(isinstance(one, LogSection | TailSection) for one in sections(world, bundle))
        world.rounds(NAMES, 3)


def test_two_processes_do_not_prepare_at_once(world: World) -> None:
    locked = exclusive(world.home("ada").locks / "send", "busy")
    with locked, pytest.raises(BusyError, match="another pannier is preparing bundles"):
        make(world)
