"""What several members lack goes to all of them once, and stays until all of them have it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.content import open_bundle, pack_group
from bundler.head import Stamp
from bundler.notices import GenesisSection
from bundler.plan import Span, common
from bundler.seal import Sealer
from bundler.sealed import Header, bundle_id
from bundler.sections import encode_section
from ledger.members import Role
from pannier.exchange import exchange_medium, served
from pannier.group_sending import prepare_groups
from pannier.home import remove_peer
from pannier.import_report import Outcome
from pannier.importing import keyring
from pannier.membership import revoke, share
from pannier.node import Node
from pannier.oneway import pack, unpack
from pannier.out_bundle import OutBundle
from spool.name import BundleName
from tests.pannier.groups import copy_group, make_group
from tests.sim.world import World, assert_equal, fragments, tree

NAMES = ("ada", "bea", "cyd", "dan", "eve", "fay")
OTHERS = NAMES[1:]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    grants = [(name, Role.WRITER) for name in OTHERS]
    return make_group(tmp_path_factory.mktemp("groups"), "ada", grants)


@pytest.fixture
def world(made: Path, tmp_path: Path) -> Iterator[World]:
    """Six members who know that all of them hold the epoch."""
    with copy_group(made, tmp_path, NAMES) as world:
        yield world


def group_bundles(node: Node) -> list[OutBundle]:
    return [one for one in node.db.queued_bundles() if one.peer not in node.peers]


def size_of(stick: Path) -> int:
    return sum(path.stat().st_size for path in fragments(stick))


def on_stick(stick: Path, bundle: OutBundle) -> bool:
    return any(bundle.bundle_id in path.name for path in fragments(stick))


# -- bytes ----------------------------------------------------------------------------------------


def test_a_medium_for_five_holds_it_once(
    world: World, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("ada", "photo", "\N{SNOWMAN}" * 10 + world["ada"].entropy(40_000).hex())
    world.exchange("ada", "fresh")
    together = size_of(world.stick("fresh"))
    monkeypatch.setattr("pannier.exchange.prepare_groups", lambda *_: None)
    with copy_group(made, tmp_path / "alone", NAMES) as alone:
        alone.put("ada", "photo", "\N{SNOWMAN}" * 10 + alone["ada"].entropy(40_000).hex())
        alone.exchange("ada", "fresh")
        one_by_one = size_of(alone.stick("fresh"))
    assert 0 < together < one_by_one / 4


def test_it_reaches_all_of_them(world: World) -> None:
    world.put("ada", "well", 1)
    world.put("cyd", "well", 2)
    world.rounds(("ada", "cyd"), 1, "fresh")
    assert group_bundles(world["ada"])
    assert group_bundles(world["cyd"])
    world.rounds(OTHERS, 1, "fresh")
    assert_equal(world, OTHERS)
    world.rounds(NAMES, 2, "fresh")
    assert_equal(world, NAMES)
    assert not any(group_bundles(world[name]) for name in NAMES), "nobody waits any more"


def test_a_bundle_for_a_group_names_all_who_wait_for_it(world: World) -> None:
    world.put("ada", "well", 1)
    done = world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    waiting = {world[name].card.node_id for name in OTHERS}
    assert set(world["ada"].db.audience(bundle.bundle_id)) == waiting
    assert set(done.written) == waiting
    again = world.exchange("ada", "fresh")
    assert waiting <= set(again.waiting)


# -- who takes it off -----------------------------------------------------------------------------


def test_recipients_leave_it_and_the_sender_takes_it_off_when_all_have_it(world: World) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    stick = world.stick("fresh")
    for name in OTHERS:
        done = world.exchange(name, "fresh")
        assert done.report.outcomes[bundle.bundle_id] is Outcome.MERGED
        assert on_stick(stick, bundle), f"{name} is not the last"
        again = world.exchange(name, "fresh")
        assert bundle.bundle_id not in again.report.outcomes, "and nobody reads it twice"
    for others in (1, 2):
        assert on_stick(stick, bundle)
        world.exchange("ada", "fresh")
        if others == 1:
            ended = world["ada"].db.bundle(bundle.bundle_id)
            assert ended is not None
            assert ended.state == "confirmed"
            break
    assert not on_stick(stick, bundle)
    assert group_bundles(world["ada"]) == []


def test_it_stays_while_one_has_not_said_that_it_has_it(world: World) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    world.rounds(OTHERS[:-1], 1, "fresh")
    world.exchange("ada", "fresh")
    assert world["ada"].db.audience(bundle.bundle_id) == [world["fay"].card.node_id]
    assert on_stick(world.stick("fresh"), bundle)
    world.exchange("ada", "another")
    assert on_stick(world.stick("another"), bundle), "fay may find another stick first"
    world.exchange("fay", "another")
    world.exchange("ada", "another")
    assert group_bundles(world["ada"]) == []


@pytest.mark.parametrize("how", ["removed as a peer", "revoked"])
def test_who_is_gone_is_not_waited_for(world: World, how: str) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    world.rounds(OTHERS[:-1], 1, "fresh")
    if how == "revoked":
        revoke(world["ada"], world.store("ada"), [world["fay"].card.author])
    else:
        world["ada"].db.forget_peer(world["fay"].card.node_id)
        remove_peer(world.home("ada"), "fay")
        world.reopen("ada")
    world.exchange("ada", "fresh")
    world.exchange("ada", "fresh")
    fay = world["fay"].card.node_id
    queued = group_bundles(world["ada"])
    assert all(fay not in world["ada"].db.audience(one.bundle_id) for one in queued)
    assert how == "revoked" or queued == []


# -- to whom it goes alone ------------------------------------------------------------------------


def test_what_one_alone_lacks_goes_to_that_one(world: World) -> None:
    world.put("ada", "well", 1)
    ada = world["ada"]
    done = exchange_medium(ada, world.stick("fresh"), peers=[ada.peer_named("bea")])
    assert group_bundles(ada) == []
    assert done.written == {world["bea"].card.node_id: 1}


def test_who_has_not_said_that_it_holds_the_epoch_gets_it_alone(world: World) -> None:
    world.add("gil")
    world.acquaint((*NAMES, "gil"))
    world.exchange("ada", "fresh")
    share(world["ada"], world.store("ada"), world["ada"].peer_named("gil"), Role.WRITER)
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    gil = world["gil"].card.node_id
    (bundle,) = group_bundles(world["ada"])
    assert gil not in world["ada"].db.audience(bundle.bundle_id)
    assert any(not one.control for one in world["ada"].db.bundles(gil))
    world.rounds(("gil", "ada"), 2, "fresh")
    world.put("ada", "well", 2)
    world.exchange("ada", "fresh")
    assert any(
        gil in world["ada"].db.audience(one.bundle_id) for one in group_bundles(world["ada"])
    )
    world.rounds((*NAMES, "gil"), 2, "fresh")
    assert_equal(world, (*NAMES, "gil"))


def test_who_cannot_open_it_gets_it_alone_in_the_end(world: World) -> None:
    """An admin may have given cyd, and dan, another key than the others."""
    for name in ("cyd", "dan"):
        world[name].epochs._unwrapper = world["bea"].keys.unwrapper()
    world.put("ada", "well", 1)
    world.rounds(NAMES, 2, "fresh")
    assert len(assert_equal(world, ("ada", "bea", "eve", "fay"))["heads"]) == 1  # type: ignore[arg-type]
    (bundle,) = group_bundles(world["ada"])
    waiting = {world[name].card.node_id for name in ("cyd", "dan")}
    assert set(world["ada"].db.audience(bundle.bundle_id)) == waiting
    world.clock.pass_days(31)
    world.put("cyd", "well of cyd", 1)
    world.put("dan", "well of dan", 1)
    world.rounds(("cyd", "dan", "ada", "cyd", "dan", "ada"), 1, "fresh")
    assert bundle.bundle_id not in {one.bundle_id for one in group_bundles(world["ada"])}
    assert_equal(world, ("ada", "cyd", "dan"))


def test_who_is_served_in_clear_gets_none(world: World) -> None:
    world.configure("ada", '[peer.bea]\nclear = true\n[peer.cyd]\ntransports = ["serial"]\n')
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    waiting = set(world["ada"].db.audience(bundle.bundle_id))
    assert waiting == {world[name].card.node_id for name in ("dan", "eve", "fay")}


def test_peers_that_cannot_answer_get_it_together_once_they_were_sent_the_epoch(
    tmp_path: Path,
) -> None:
    names = ("ada", "bea", "cyd")
    with World(tmp_path, names) as world:
        world.configure(
            "ada", "[peer.bea]\noneway = true\nrepeat = 2\n[peer.cyd]\noneway = true\nrepeat = 2\n"
        )
        world.found("ada", "bea", "cyd")
        world.put("ada", "well", 1)
        world.exchange("ada", "one")
        assert group_bundles(world["ada"]) == []
        world.exchange("ada", "two")
        world.put("ada", "well", 2)
        world.exchange("ada", "one")
        (bundle,) = group_bundles(world["ada"])
        assert len(world["ada"].db.audience(bundle.bundle_id)) == 2
        # The first pass brings the key that what is for the group is known by.
        world.rounds(("bea", "cyd"), 2, "one")
        assert_equal(world, names)
        world.exchange("ada", "two")
        third = world.exchange("ada", "three")
        assert third.written == {}, "as often as is configured, and no more"
        world.put("ada", "well", 3)
        fourth = world.exchange("ada", "three")
        assert len(fourth.written) == 2, "what it was sent is remembered"
        spans = [span for one in group_bundles(world["ada"]) for _, _, span in spans_of(world, one)]
        assert len(spans) == len(set(spans)) == 2


def spans_of(world: World, bundle: OutBundle) -> list[tuple[object, object, Span]]:
    return list(world["ada"].db.spans(bundle.bundle_id))


def test_pack_takes_along_what_waits_for_a_group(world: World, tmp_path: Path) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    into = tmp_path / "packed"
    pack(world["ada"], world["ada"].peer_named("bea"), into, mtu=None, repair_percent=0)
    report, _ = unpack(world["bea"], [into])
    assert report.outcomes[bundle.bundle_id] is Outcome.MERGED
    cyd = world["ada"].peer_named("cyd")
    assert pack(world["ada"], cyd, tmp_path / "b", mtu=100, repair_percent=0).bundles
    ended = world["ada"].db.bundle(bundle.bundle_id)
    assert ended is not None
    assert ended.state == "replaced", "its symbols do not fit: cyd gets it alone"
    unpack(world["cyd"], [tmp_path / "b"])
    world.rounds(NAMES, 2, "fresh")
    assert_equal(world, NAMES)


# -- crashes, and what others make of a group -----------------------------------------------------


def test_what_no_carrier_took_is_made_anew_with_what_is_new(world: World) -> None:
    ada = world["ada"]
    world.put("ada", "well", 1)
    prepare_groups(ada, served(ada))
    (first,) = group_bundles(ada)
    world.put("ada", "well", 2)
    prepare_groups(ada, served(ada))
    (second,) = group_bundles(ada)
    assert ada.db.bundle(first.bundle_id) is None
    assert ada.db.audience(first.bundle_id) == []
    (_, _, one), (_, _, two) = (ada.db.spans(second.bundle_id) * 2)[:2]
    assert one == two
    assert one.end - one.first == 2
    (name,) = ada.spool.outbox.queued(second.peer)
    assert name.bundle_id == second.bundle_id


def test_files_and_notes_of_it_agree_again_after_a_crash(world: World) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    ada = world["ada"]
    (bundle,) = group_bundles(ada)
    (name,) = ada.spool.outbox.queued(bundle.peer)
    ada.spool.outbox.withdraw(bundle.peer, name)
    world.exchange("ada", "fresh")
    (again,) = group_bundles(ada)
    assert again.bundle_id != bundle.bundle_id
    ada.db.forget_bundle(again.bundle_id)
    world.exchange("ada", "fresh")
    (last,) = group_bundles(ada)
    assert [one.bundle_id for one in ada.spool.outbox.queued(bundle.peer)] == [last.bundle_id]
    world.rounds(NAMES, 2, "fresh")
    assert_equal(world, NAMES)


def test_nobody_gets_a_receipt_and_no_time_is_believed(world: World) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    world.exchange("bea", "fresh")
    bea = world["bea"]
    assert not bea.db.rows("SELECT 1 FROM due WHERE bundle = ?", bundle.bundle_id)
    assert bea.db.seen_from(bundle.bundle_id) == bundle.peer


def test_a_group_bundle_about_another_ledger_is_refused(world: World, tmp_path: Path) -> None:
    """Dan, who is in this group, writes of a ledger of his own under its key."""
    dan, bea = world["dan"], world["bea"]
    world.found("dan", ledger="dans own")
    store = world.store("dan", "dans own")
    (key,) = dan.epochs.group_keys(world.store("dan"))
    sealed = pack_group(
        [encode_section(GenesisSection(genesis=store.genesis.to_bytes()), level=1)],
        header=Header(4, 40_000),
        stamp=Stamp(incarnation=bytes(8), counter=1, time_us=world.clock()),
        sender=dan.card.author,
        key=key.key,
        sealer=Sealer(dan.entropy, dan.wrapper),
    )
    number = bundle_id(sealed)
    group = key.group.hex()
    hint = dan.groups.hint_to(group, number).hex()
    lay(world, group, hint, number.hex(), sealed)
    report = world.exchange("bea", "fresh").report
    assert report.outcomes[number.hex()] is Outcome.REFUSED
    assert "another ledger" in report.reasons[number.hex()]
    assert open_bundle(sealed, keyring(bea)).sender is None
    assert not world.has("bea", "dans own")


def lay(world: World, group: str, hint: str, number: str, sealed: bytes) -> None:
    """Put a bundle of dan's onto a stick as his node would."""
    dan = world["dan"]
    name = BundleName(4, 40_000, hint, number, 1024)
    dan.db.add_bundle(
        OutBundle(
            bundle_id=number,
            peer=group,
            name=name.to_text(),
            state="queued",
            control=True,
            counter=1,
            written=0,
            created_us=world.clock(),
            expiry_days=40_000,
            size_bytes=len(sealed),
        ),
        [],
    )
    dan.spool.outbox.publish(group, name, sealed)
    bundle = dan.db.bundle(number)
    assert bundle is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pannier.exchange.hellos", lambda *_: [bundle])
        world.exchange("dan", "fresh")


def test_a_group_may_hide_whom_a_person_wants_to_review(world: World) -> None:
    world.configure("bea", '[peer.fay]\nimport = "review"\n')
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    report = world.exchange("bea", "fresh").report
    assert report.outcomes[bundle.bundle_id] is Outcome.REVIEW
    assert not report.entries
    world.rounds(("ada", "cyd"), 2, "fresh")
    assert on_stick(world.stick("fresh"), bundle)


def test_a_courier_can_tell_a_group_from_nobody(world: World) -> None:
    """Its name has no hint that he knows, and nothing in the file is the epoch's id."""
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    (bundle,) = group_bundles(world["ada"])
    files = tree(world.stick("fresh"))
    assert not any(bundle.peer in path for path in files)
    assert not any(bytes.fromhex(bundle.peer) in data for data in files.values())
    with World(world.folder / "courier", ("zoe",)) as other:
        done = other.exchange("zoe", world.stick("fresh"))
        assert done.collected.others == len(fragments(world.stick("fresh")))


# -- which entries go together --------------------------------------------------------------------

SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda one: Span(one[0], sum(one))),
    max_size=4,
)


def covered(spans: Iterable[Span]) -> set[int]:
    return {number for span in spans for number in range(*span)}


def disjoint(spans: Sequence[Span]) -> list[Span]:
    """*spans* without those that overlap an earlier one."""
    kept: list[Span] = []
    for span in spans:
        if not covered(kept) & covered([span]):
            kept.append(span)
    return kept


@given(st.lists(SPANS.map(disjoint), max_size=5), st.integers(1, 3))
def test_common_is_what_so_many_lack(lacks: list[list[Span]], least: int) -> None:
    found = common(lacks, least=least)
    numbers = [covered(spans) for spans in lacks]
    wanted = {n for n in range(50) if sum(n in one for one in numbers) >= least}
    assert covered(found) == wanted
    assert found == sorted(found)
    assert all(one.end < other.first for one, other in pairwise(found))
