"""Bad input does nothing but to be named; what lies beside it arrives, and so does what follows."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from bundler import cose, items
from bundler.content import Recipient, open_bundle, pack_full
from bundler.entry_encodings import encode_entries
from bundler.errors import BundleError
from bundler.fragment import (
    Check,
    Fragment,
    crc_check,
    fragment_body,
    fragment_head,
    is_plausible,
)
from bundler.join import Cause
from bundler.notices import ForkSection, HaveSection, Receipt, ReceiptSection, Seen
from bundler.seal import Sealer, open_full, seal_full
from bundler.sealed import Header, SealedFull, bundle_id, parse_sealed
from bundler.sections import encode_section
from bundler.sequence import parse_sequence
from bundler.split import Cut, split
from bundler.whole import Whole
from ledger import cbor
from ledger.entries import Entries
from ledger.genesis import Genesis
from ledger.log import LogStatus
from ledger.members import Role
from ledger.views import heads
from pannier.answers import sift
from pannier.exchange import Exchanged
from pannier.home import add_peer
from pannier.import_report import Outcome
from pannier.importing import import_arrived, keyring
from pannier.joining import join
from pannier.membership import share
from spool.delivery import Delivery
from spool.name import FragmentName
from tests.bundler.doubles import CountedEntropy, CountedWrapper
from tests.sim import attacks
from tests.sim.world import World, assert_equal, data_queue, facts, faults, fragments, tree
from transports.errors import TransportError
from transports.questions import Sifted

BOTH = ("ada", "bea")
HAVE, LOG, ZSTD, PLAIN = 2, 1, 1, 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea")
        world.put("ada", "well", 12)
        world.rounds(BOTH, 2)
        yield world


def receive(world: World, *, beside: bool = True) -> Exchanged:
    """Let bea have the stick as it is, and something good that lies beside; prove no harm."""
    if beside:
        world.put("ada", "beside", "good")
        world.exchange("ada")
    done = world.exchange("bea")
    assert faults(world["bea"]) == []
    if beside:
        assert heads(world.store("bea"), "beside") == heads(world.store("ada"), "beside") != []
    world.put("ada", "after", "good")
    world.exchange("ada", "clean")
    world.exchange("bea", "clean")
    assert heads(world.store("bea"), "after") == heads(world.store("ada"), "after") != []
    return done


def refused(world: World, *sections: bytes, beside: bool = True) -> str:
    """Let ada, a member, send these sections; return why bea refused them for good."""
    sealed = attacks.sealed_by(world["ada"], world["bea"], sections)
    attacks.leave(world, "ada", "bea", sealed)
    done = receive(world, beside=beside)
    number = bundle_id(sealed).hex()
    assert done.report.outcomes[number] is Outcome.REFUSED
    (bad,) = world["bea"].spool.quarantine.list()
    assert bad.bundle_id == number
    assert bad.reason == done.report.reasons[number]
    assert bad.size_bytes > 0
    assert world["bea"].db.seen(number) == "refused"
    return bad.reason


def sealed_bundle(world: World) -> tuple[bytes, FragmentName]:
    """A small good bundle from ada for bea, and its name; it is on no stick."""
    world.put("ada", "pump", 1)
    sections = [attacks.own_entries(world["ada"], world.store("ada"))]
    sealed = attacks.sealed_by(world["ada"], world["bea"], sections)
    return sealed, attacks.name_for(world["ada"], world["bea"], sealed)


def file_of(world: World, sealed: bytes) -> bytes:
    """A bundle by ada as a file for bea."""
    check = attacks.check_of(world["ada"], world["bea"])
    cut = Cut(mtu_bytes=1 << 20, symbol_bytes=attacks.SYMBOL_BYTES, check=check)
    return b"".join(split(sealed, cut))


# -- damage on the way ----------------------------------------------------------------------------


def test_no_flipped_bit_makes_a_genuine_file(world: World) -> None:
    sealed, name = sealed_bundle(world)
    whole = Whole(hint=bytes(4), sealed=sealed).to_bytes()
    bea, ada = world["bea"], world["ada"].card.node_id
    for data in (file_of(world, sealed), whole):
        assert sift(bea, name, ada, data) == Sifted(data, 0)
    for data in attacks.flipped_bits(file_of(world, sealed)):
        assert sift(bea, name, ada, data).data == b""
    for data in attacks.flipped_bytes(whole[7:]):  # what stands before is not of the bundle
        assert sift(bea, name, ada, whole[:7] + data) == Sifted(b"", 1)


def test_a_bit_flipped_in_any_byte_of_the_file_is_counted(world: World) -> None:
    sealed, name = sealed_bundle(world)
    before = facts(world.store("bea"))
    for data in list(attacks.flipped_bytes(file_of(world, sealed)))[::5]:
        path = attacks.drop(world.stick(), name, [data])
        done = world.exchange("bea")
        assert (done.collected.bad, done.collected.forged) == ((), 1)
        assert done.problems == []
        assert path.read_bytes() == data
    assert facts(world.store("bea")) == before
    assert world["bea"].spool.quarantine.list() == []
    receive(world)


def test_a_file_cut_off_at_any_byte_is_counted(world: World) -> None:
    sealed, name = sealed_bundle(world)
    before = facts(world.store("bea"))
    for data in list(attacks.truncated(file_of(world, sealed)))[::5]:
        attacks.drop(world.stick(), name, [data])
        assert world.exchange("bea").collected.forged == 1
    assert facts(world.store("bea")) == before
    receive(world)


def test_bytes_altered_under_a_right_checksum_spoil_nothing(world: World) -> None:
    """Whatever gets as far as the join: there are no other bytes with the id that is their hash."""
    sealed, name = sealed_bundle(world)
    node, number = world["bea"], name.bundle_id
    before = facts(world.store("bea"))
    for index, altered in enumerate(attacks.flipped_bytes(sealed)):
        (part,) = split(altered, Cut(mtu_bytes=1 << 16))
        forged = renamed(Fragment.from_bytes(part), bytes.fromhex(number), crc_check).to_bytes()
        assert join(bytes.fromhex(number), lambda: [forged]) is Cause.WRONG_ID  # noqa: B023
        if index % 50 == 0:
            node.spool.inbox.receive([Delivery(name, "unknown", "stick", forged)])
            report = import_arrived(node)
            assert report.outcomes == {number: Outcome.REFUSED}
            assert "does not have the id" in report.reasons[number]
    assert facts(world.store("bea")) == before
    receive(world)


def renamed(part: Fragment, number: bytes, check: Check) -> Fragment:
    """*part* with another bundle id, and the check that then belongs to it."""
    other = replace(part, bundle_id=number, check=b"")
    return replace(other, check=check(other.to_bytes()[:-1]))


def test_a_byte_altered_by_one_who_knows_the_name_is_refused(world: World) -> None:
    """Under the right id and hint, as only a peer could make them: the seal tells."""
    sealed, _ = sealed_bundle(world)
    before = facts(world.store("bea"))
    keys = keyring(world["bea"])
    for index, altered in enumerate(attacks.flipped_bytes(sealed)):
        with pytest.raises(BundleError):
            open_bundle(altered, keys)
        if index % 20 == 0:
            path = attacks.leave(world, "ada", "bea", altered, f"altered {index}")
            done = world.exchange("bea", f"altered {index}")
            (number,) = done.report.outcomes
            assert done.report.outcomes[number] is Outcome.REFUSED
            assert done.report.reasons[number] in done.problems[0]
            assert path.exists(), "a later pannier may read it"
            world["bea"].spool.quarantine.discard(number)
    assert facts(world.store("bea")) == before
    assert faults(world["bea"]) == []
    receive(world)


def test_fragments_of_two_bundles_in_one_file(world: World) -> None:
    sealed, name = sealed_bundle(world)
    other = attacks.sealed_by(world["ada"], world["bea"], [])
    attacks.drop(world.stick(), name, [file_of(world, other), file_of(world, sealed)])
    done = receive(world)
    assert done.report.outcomes[name.bundle_id] is Outcome.MERGED
    assert bundle_id(other).hex() not in done.report.outcomes
    assert done.collected.forged == 1


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "behind"])
def test_one_false_fragment_by_the_sender_does_not_spoil_the_others(
    world: World, is_first: bool
) -> None:
    """Whichever of the two is looked at first: they are sorted by their digests."""
    sealed, name = sealed_bundle(world)
    check = attacks.check_of(world["ada"], world["bea"])
    (whole,) = split(sealed, Cut(mtu_bytes=1 << 16, symbol_bytes=64, check=check))
    genuine = Fragment.from_bytes(whole, is_plausible)
    forged = (
        renamed(
            replace(genuine, symbols=number.to_bytes(64, "big")), genuine.bundle_id, check
        ).to_bytes()
        for number in range(1000)
    )
    data = next(one for one in forged if is_first == (_digest(one) < _digest(whole)))
    attacks.drop(world.stick(), replace(name, payload_id=1), [data])
    attacks.drop(world.stick(), name, [whole])
    assert receive(world).report.outcomes[name.bundle_id] is Outcome.MERGED


@pytest.mark.parametrize("count", [1, 9, 40])
def test_no_peer_keeps_what_another_sent_from_being_joined(world: World, count: int) -> None:
    """Though it saw the name, and forges as many symbols of it as it likes, under its own MAC."""
    sealed, name = sealed_bundle(world)
    cyd, bea, number = world["cyd"], world["bea"], bytes.fromhex(name.bundle_id)
    hint = cyd.shared.hint_to(cyd.peer_named("bea"), number).hex()
    (whole,) = split(sealed, Cut(mtu_bytes=1 << 16, symbol_bytes=64))
    genuine, check = Fragment.from_bytes(whole, is_plausible), attacks.check_of(cyd, bea)
    for index in range(count):
        symbols = index.to_bytes(64, "big")
        forged = renamed(replace(genuine, symbols=symbols), number, check).to_bytes()
        attacks.drop(world.stick(), replace(name, hint=hint, payload_id=index), [forged])
    check = attacks.check_of(world["ada"], bea)
    attacks.drop(
        world.stick(), name, split(sealed, Cut(mtu_bytes=1 << 16, symbol_bytes=64, check=check))
    )
    assert receive(world).report.outcomes[name.bundle_id] is Outcome.MERGED


def test_of_what_another_spoiled_nothing_is_thrown_away(world: World) -> None:
    sealed, name = sealed_bundle(world)
    cyd, bea, number = world["cyd"], world["bea"], bytes.fromhex(name.bundle_id)
    hint = cyd.shared.hint_to(cyd.peer_named("bea"), number).hex()
    lies = split(bytes(len(sealed)), Cut(mtu_bytes=1 << 16, symbol_bytes=64))
    check = attacks.check_of(cyd, bea)
    forged = [renamed(Fragment.from_bytes(one, is_plausible), number, check) for one in lies]
    attacks.drop(world.stick(), replace(name, hint=hint), [one.to_bytes() for one in forged])
    check = attacks.check_of(world["ada"], bea)
    first, *others = split(sealed, Cut(mtu_bytes=160, symbol_bytes=64, check=check))
    attacks.drop(world.stick(), name, [first])
    assert receive(world).report.outcomes[name.bundle_id] is Outcome.REFUSED
    attacks.drop(world.stick(), replace(name, payload_id=1), others)
    assert receive(world).report.outcomes[name.bundle_id] is Outcome.MERGED


def test_a_thousand_forged_fragments_a_genuine_one_do_no_harm(world: World) -> None:
    """By somebody who can write to the stick, in files of their own and in that of the sender."""
    sealed, name = sealed_bundle(world)
    whole = file_of(world, sealed)
    number = bytes.fromhex(name.bundle_id)
    (symbol,) = {part.symbol_bytes for part in parse_sequence(whole, is_plausible)}  # type: ignore[union-attr]
    forged = [
        attacks.forged_fragment(number, transfer=len(sealed), symbol=symbol, payload_id=one)
        for one in range(1000)
    ]
    for index in range(0, 1000, 100):
        other = replace(name, payload_id=index + 1)
        attacks.drop(world.stick(), other, forged[index : index + 100])
    attacks.drop(world.stick(), name, [*forged[:500], whole, *forged[500:]])
    done = receive(world)
    assert done.report.outcomes[name.bundle_id] is Outcome.MERGED
    assert done.collected.forged == 2000
    assert (done.problems, done.report.reasons) == ([], {})
    assert world["bea"].spool.quarantine.list() == []


def test_a_fragment_sent_back_or_by_another_peer_is_not_genuine(world: World) -> None:
    sealed, name = sealed_bundle(world)
    bea, ada, cyd = world["bea"], world["ada"], world["cyd"]
    for check in (attacks.check_of(bea, ada), attacks.check_of(cyd, ada), crc_check):
        cut = Cut(mtu_bytes=1 << 20, symbol_bytes=attacks.SYMBOL_BYTES, check=check)
        (data,) = split(sealed, cut)
        assert sift(bea, name, ada.card.node_id, data) == Sifted(b"", 1)
    data = file_of(world, sealed)
    assert sift(bea, name, ada.card.node_id, data) == Sifted(data, 0)


def test_a_genuine_fragment_under_another_hint_or_id_is_not_taken(world: World) -> None:
    sealed, name = sealed_bundle(world)
    other = attacks.sealed_by(world["ada"], world["bea"], [])
    other_name = attacks.name_for(world["ada"], world["bea"], other)
    attacks.drop(world.stick(), replace(name, hint=other_name.hint), [file_of(world, sealed)])
    attacks.drop(world.stick(), other_name, [file_of(world, sealed)])
    done = world.exchange("bea")
    assert (done.collected.others, done.collected.forged, done.report.outcomes) == (1, 1, {})
    assert world["bea"].spool.inbox.bundles() == []


def test_a_whole_bundle_under_the_id_of_another_is_not_taken_for_it(world: World) -> None:
    """Else its sender would get a receipt for what never arrived."""
    sealed, name = sealed_bundle(world)
    other = attacks.sealed_by(world["ada"], world["bea"], [])
    whole = Whole(hint=bytes.fromhex(name.hint), sealed=other).to_bytes()
    bea = world["bea"]
    bea.spool.inbox.receive([Delivery(name, world["ada"].card.node_id, "stick", whole)])
    assert import_arrived(bea).outcomes == {name.bundle_id: Outcome.INCOMPLETE}
    assert bea.db.seen(name.bundle_id) is None
    attacks.leave(world, "ada", "bea", sealed)
    assert receive(world).report.outcomes[name.bundle_id] is Outcome.MERGED


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()


@pytest.mark.parametrize(
    ("transfer", "symbol", "payload_id"),
    [
        (2**63, 8, 0),
        (2**40, 8, 0),
        (0, 8, 0),
        (1, 65_528, 255 << 24),
        (1000, 8, 254 << 24),
        (1000, 8, 0xFFFFFF),
        (16 << 20, 8, 255 << 24 | 1),
        (16 << 20, 65_528, 0xFFFFFFFF),
        (7, 8, 1),
    ],
)
def test_parameters_on_which_the_code_would_choke(
    world: World, transfer: int, symbol: int, payload_id: int
) -> None:
    sealed, name = sealed_bundle(world)
    forged = attacks.forged_fragment(
        bytes.fromhex(name.bundle_id),
        transfer=transfer,
        symbol=symbol,
        payload_id=payload_id,
        check=attacks.check_of(world["ada"], world["bea"]),
    )
    attacks.drop(world.stick(), replace(name, payload_id=1), [forged])
    attacks.drop(world.stick(), name, [forged, file_of(world, sealed)])
    assert receive(world).report.outcomes[name.bundle_id] is Outcome.MERGED


def test_a_length_of_two_to_the_sixty_third(world: World) -> None:
    _, name = sealed_bundle(world)
    head = b"\x87\x01\x48" + bytes.fromhex(name.bundle_id)
    attacks.drop(world.stick(), name, [head + b"\x1b" + bytes([128]) + bytes(7)])
    other = replace(name, bundle_id="00" + name.bundle_id[2:], hint=name.hint)
    attacks.drop(world.stick(), other, [b"\x9b" + bytes([128]) + bytes(7)])
    done = receive(world)
    assert (len(done.collected.bad), done.collected.forged, done.collected.others) == (1, 1, 1)


# -- things on a stick that are no bundles --------------------------------------------------------


def test_foreign_files_are_left_alone(world: World, tmp_path: Path) -> None:
    _, name = sealed_bundle(world)
    stick, secret = world.stick(), tmp_path / "secret"
    secret.write_text("not on the stick")
    paths = {
        "holiday.jpg": b"jpeg",
        f"pannier/{name.bundle_id[:2]}/notes.txt": b"text",
        f"pannier/{name.to_text()}": b"in the wrong folder",
        f"pannier/zz/{name.to_text()}": b"in no folder of ours",
        f"pannier/00/{name.to_text()}.tmp": b"unfinished",
        "pannier/00/../../../../etc/passwd.pnr": b"escaping",
    }
    for path, data in paths.items():
        (stick / path).parent.mkdir(parents=True, exist_ok=True)
        (stick / path).write_bytes(data)
    done = receive(world)
    assert done.problems == []
    assert all((stick / path).read_bytes() == data for path, data in paths.items())


def test_an_empty_file_a_link_a_fifo_and_a_folder_with_our_names(
    world: World, tmp_path: Path
) -> None:
    _, name = sealed_bundle(world)
    folder = world.stick() / "pannier" / name.bundle_id[:2]
    folder.mkdir(parents=True, exist_ok=True)
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x87\x01\x48")
    names = [replace(name, payload_id=number).to_text() for number in range(4)]
    (folder / names[0]).write_bytes(b"")
    (folder / names[1]).symlink_to(secret)
    attacks.fifo(folder / names[2])
    (folder / names[3]).mkdir()
    done = receive(world)
    assert (done.collected.bad, done.collected.forged) == ((), 1)
    assert secret.exists()


# -- hostile members ------------------------------------------------------------------------------


def test_a_section_that_inflates_beyond_its_bound(world: World) -> None:
    bomb = zstandard.compress(bytes(33 << 20))
    assert len(bomb) < 10_000
    reason = refused(world, attacks.raw_section(LOG, ZSTD, bomb))
    assert "from ada: " in reason
    assert str(32 << 20) in reason


def test_a_small_section_that_inflates_beyond_its_bound(world: World) -> None:
    reason = refused(world, attacks.raw_section(HAVE, ZSTD, zstandard.compress(bytes(2 << 20))))
    assert str(1 << 20) in reason


def test_a_frame_that_lies_about_its_size(world: World) -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    reason = refused(world, attacks.raw_section(HAVE, ZSTD, compressor.compress(bytes(100))))
    assert reason


def test_cbor_a_hundred_thousand_deep(world: World) -> None:
    assert refused(world, attacks.raw_section(HAVE, PLAIN, b"\x81" * 100_000 + b"\x00"))


def test_lengths_beyond_memory_in_a_section(world: World) -> None:
    huge = bytes([128]) + bytes(7)
    assert refused(world, attacks.raw_section(HAVE, PLAIN, b"\x9b" + huge))


def test_a_section_cut_off(world: World) -> None:
    section = attacks.own_entries(world["ada"], world.store("ada"))
    assert refused(world, section[:-10])


def test_an_unknown_codec(world: World) -> None:
    assert "codec 7" in refused(world, attacks.raw_section(HAVE, 7, b"\x80"))


def test_more_sections_than_allowed(world: World) -> None:
    assert "more than 4096 sections" in refused(world, attacks.raw_section(99, PLAIN, b"") * 4097)


@pytest.mark.parametrize("change", [-1, 1, 5])
def test_a_section_that_lies_about_its_count(world: World, change: int) -> None:
    store = world.store("ada")
    (state,) = [log for log in store.logs() if log.size]
    section = attacks.log_section(store, state, 0, state.size)
    lie = replace(section.checkpoint, size=section.checkpoint.size + change)
    refused(world, encode_section(replace(section, checkpoint=lie)))


def test_entries_that_their_author_never_signed(world: World) -> None:
    world.put("ada", "pump", 1)
    store = world.store("ada")
    (state,) = [log for log in store.logs() if log.size]
    section = attacks.log_section(store, state, 0, state.size)
    entries = store.entries(state, 0, state.size)
    entries[-1] = entries[-1]._replace(payload=cbor.encode(2))
    encoding, data, _ = encode_entries(Entries.of(entries))
    altered = encode_section(replace(section, encoding=encoding, entries=data))
    assert "do not have the root" in refused(world, altered, beside=False)


def test_a_counter_beyond_all_counting(world: World) -> None:
    stamp = replace(attacks.stamp_of(world["ada"]), counter=2**64 - 1)
    sealed = attacks.sealed_by(world["ada"], world["bea"], [], stamp=stamp)
    attacks.leave(world, "ada", "bea", sealed)
    done = receive(world)
    assert done.report.outcomes[bundle_id(sealed).hex()] is Outcome.REFUSED
    assert "counts too far" in world["bea"].spool.quarantine.list()[0].reason


def test_a_peer_that_has_seen_more_than_can_be(world: World) -> None:
    """It costs a new incarnation at most, and only once."""
    for number in range(3):
        have = HaveSection(seen=Seen(b"\xff" * 8, 2**64 - 1), key_ids=(), ledgers=())
        sealed = attacks.sealed_by(world["ada"], world["bea"], [encode_section(have)])
        attacks.leave(world, "ada", "bea", sealed)
        assert world.exchange("bea").report.notes == [], number
    receive(world)


def test_receipts_for_what_was_never_sent_do_nothing(world: World) -> None:
    world.put("bea", "pump", 1)
    world.exchange("bea", "other")
    queue = data_queue(world["bea"])
    forged = ReceiptSection(receipts=(Receipt(bytes(8), ""), Receipt(bytes(7) + b"1", "no")))
    sealed = attacks.sealed_by(world["ada"], world["bea"], [encode_section(forged)])
    attacks.leave(world, "ada", "bea", sealed)
    receive(world)
    assert data_queue(world["bea"])[: len(queue)] == queue


def test_a_receipt_for_another_peers_bundle_does_nothing(world: World) -> None:
    world.put("ada", "pump", 1)
    world.exchange("ada", "far")
    (queued,) = data_queue(world["ada"])
    forged = ReceiptSection(receipts=(Receipt(bytes.fromhex(queued), ""),))
    sealed = attacks.sealed_by(world["cyd"], world["ada"], [encode_section(forged)])
    attacks.leave(world, "cyd", "ada", sealed, "near")
    assert world.exchange("ada", "near").report.count(Outcome.MERGED) == 1
    assert data_queue(world["ada"]) == [queued]


def test_a_fork_is_proven_told_and_stops_the_log(world: World) -> None:
    """ada copies her home, writes two histories, and shows bea one after the other."""
    copy = world.back_up("ada")
    world.put("ada", "pump", "one")
    world.exchange("ada", "first")
    world.restore("ada", copy)
    world.put("ada", "pump", "other")
    world.exchange("ada", "second")
    world.exchange("bea", "first")
    before = facts(world.store("bea"))["heads"]
    done = world.exchange("bea", "second")
    assert any("signed two histories of one log" in note for note in done.report.notes)
    assert facts(world.store("bea"))["heads"] == before
    assert faults(world["bea"]) == []
    assert [*done.report.outcomes.values()] == [Outcome.HELD]
    assert LogStatus.FORKED in {log.status for log in world.store("bea").logs()}
    assert len(list(world.store("bea").evidence("fork"))) == 1


def test_a_proof_of_a_fork_that_proves_nothing(world: World) -> None:
    store = world.store("ada")
    (state,) = [log for log in store.logs() if log.size]
    last = store.last_checkpoint(state)
    assert last is not None
    half = [last.to_cbor(), bytes(32), []]
    section = ForkSection(
        ledger=store.ledger_id,
        author=state.name.author,
        incarnation=state.name.incarnation,
        fork=cbor.encode([0, *half, *half]),
    )
    assert "fork" in refused(world, encode_section(section))


def test_nobody_says_that_an_author_signed_what_is_here_already(world: World) -> None:
    """Who could would be taken to hold it."""
    store = world.store("bea")
    (state,) = [log for log in store.logs() if log.size]
    held = attacks.log_section(world.store("ada"), state, 0, state.size)
    forged = replace(held, checkpoint=replace(held.checkpoint, signature=bytes(64)))
    assert "signature" in refused(world, encode_section(forged))


def test_a_ledger_that_this_node_was_not_granted_leaves_nothing_behind(world: World) -> None:
    world.found("ada", ledger="secret")
    store = world.store("ada", "secret")
    world.put("ada", "x", 1, "secret")
    section = attacks.raw_section(9, PLAIN, items.array_head(1) + store.genesis.to_bytes())
    sealed = attacks.sealed_by(
        world["ada"], world["bea"], [section, attacks.own_entries(world["ada"], store)]
    )
    attacks.leave(world, "ada", "bea", sealed)
    done = receive(world)
    assert done.report.outcomes[bundle_id(sealed).hex()] is Outcome.HELD
    assert not world.has("bea", "secret")
    assert list((world.home("bea").ledgers / "pending").iterdir()) == []


def test_a_genesis_that_is_none(world: World) -> None:
    genesis = Genesis(name="x", admins=(world["ada"].card,), time_us=0, nonce=bytes(16))
    body = items.array_head(1) + genesis.to_bytes()
    broken = body.replace(world["ada"].card.signature, bytes(64))
    assert "card" in refused(world, attacks.raw_section(9, PLAIN, broken))


# -- whose is it? ---------------------------------------------------------------------------------


def test_a_bundle_for_others_is_carried_and_not_opened(world: World) -> None:
    sealed = attacks.sealed_by(world["ada"], world["cyd"], [])
    path = attacks.leave(world, "ada", "cyd", sealed)
    done = receive(world)
    assert (done.collected.others, done.collected.carried, done.report.reasons) == (1, 1, {})
    assert path.exists()


def test_a_strangers_bundle_is_as_good_as_one_for_others(world: World) -> None:
    world.add("eve")
    add_peer(world.home("eve"), "bea", world["bea"].card, own=world["eve"].card.author)
    world.reopen("eve")
    sealed = attacks.sealed_by(world["eve"], world["bea"], [])
    attacks.leave(world, "eve", "bea", sealed)
    done = receive(world)
    assert (done.collected.others, done.report.outcomes.get(bundle_id(sealed).hex())) == (1, None)


@pytest.mark.parametrize("way", [("honest", "evil"), ("evil", "honest"), ("honest", "evil", "two")])
@pytest.mark.parametrize("more_bytes", [-40, 0, 100])
def test_junk_under_the_name_of_what_a_mule_carries_takes_nothing_from_it(
    world: World, way: tuple[str, ...], more_bytes: int
) -> None:
    """Whoever saw a stick knows its names, and needs no key to write the like elsewhere."""
    world.add("mule")
    world.put("ada", "well", 13)
    world.exchange("ada", "honest")
    for path in fragments(world.stick("honest")):
        name = FragmentName.from_text(path.name)
        head = fragment_head(bytes.fromhex(name.bundle_id), 1000, 1000)
        symbols = bytes(path.stat().st_size + more_bytes)
        target = world.stick("evil") / path.relative_to(world.stick("honest"))
        target.parent.mkdir(parents=True)
        target.write_bytes(fragment_body(head, 0, symbols) + b"\x48no key !")
    before = {stick: tree(world.stick(stick)) for stick in ("honest", "evil")}
    for stick in (*way, *way):
        world.exchange("mule", stick)
    for stick, files in before.items():
        now = tree(world.stick(stick))
        assert all(now[path] == data for path, data in files.items() if path.endswith(".pnr"))
    world.exchange("mule", "two")
    world.exchange("bea", "two")
    assert_equal(world, BOTH)


def test_a_replay_does_nothing(world: World) -> None:
    world.put("ada", "pump", 1)
    world.exchange("ada")
    kept = {path: path.read_bytes() for path in fragments(world.stick())}
    world.exchange("bea")
    before = facts(world.store("bea"))
    for path, data in kept.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    done = world.exchange("bea")
    assert (done.collected.seen, done.report.outcomes, done.problems) == (len(kept), {}, [])
    assert not any(path.exists() for path in kept)
    assert facts(world.store("bea")) == before
    assert world["bea"].spool.quarantine.list() == []
    receive(world)


def test_an_old_statement_does_not_undo_a_newer_one(world: World) -> None:
    """A courier holds back what bea said before she had the entries, and brings it last."""
    world.put("bea", "pump", 1)
    world.exchange("bea", "slow")
    world.put("ada", "pump", 2)
    world.rounds(BOTH, 3)
    before = world["ada"].db.peer(world["bea"].card.node_id).have
    world.exchange("ada", "slow")
    assert world["ada"].db.peer(world["bea"].card.node_id).have == before


def test_a_bundle_sealed_again_for_another(world: World) -> None:
    """bea opens what ada signed for her, and seals the same content for cyd as if ada had."""
    sealed, _ = sealed_bundle(world)
    opened = parse_sealed(sealed)
    assert isinstance(opened, SealedFull)
    content = bytes(open_full(opened, world["bea"].keys.unwrapper()))
    sealer = Sealer(CountedEntropy("again"), CountedWrapper("again"))
    again = seal_full(opened.header, [world["cyd"].card.hpke_key], lambda _: content, sealer)
    attacks.leave(world, "bea", "cyd", again)
    done = world.exchange("cyd")
    number = bundle_id(again).hex()
    assert done.report.outcomes[number] is Outcome.REFUSED
    assert "signed for another bundle" in done.report.reasons[number]
    assert not world.has("cyd")


def test_the_same_outside_for_another_who_was_not_named(world: World) -> None:
    """What is signed names who may read it: a sender cannot be made to speak to others."""
    named = [Recipient(world["bea"].card.author, world["cyd"].card.hpke_key)]
    sealed = pack_full(
        [],
        header=Header(4, attacks.EXPIRY_DAYS),
        stamp=attacks.stamp_of(world["ada"]),
        signing_key=world["ada"].keys.signing,
        recipients=named,
        sealer=Sealer(CountedEntropy("x"), CountedWrapper("x")),
    )
    attacks.leave(world, "ada", "cyd", sealed)
    done = world.exchange("cyd")
    assert "signed for others" in done.report.reasons[bundle_id(sealed).hex()]


def test_a_pairwise_bundle_sent_back_to_its_maker(world: World) -> None:
    for number in range(3):
        world.put("ada", "pump", number)
        world.rounds(BOTH, 1)
    world.put("ada", "pump", 9)
    world.exchange("ada")
    (queued,) = data_queue(world["ada"])
    (path,) = [path for path in fragments(world.stick()) if queued in path.name]
    bundle = world["ada"].db.bundle(queued)
    assert bundle is not None
    assert bundle.key_id is not None
    assert world.exchange("ada").collected.ours == 1
    node = world["ada"]
    name = FragmentName.from_text(path.name)
    node.spool.inbox.receive([Delivery(name, world["bea"].card.node_id, "back", path.read_bytes())])
    report = import_arrived(node)
    assert "no key shared with a peer or a group opens this bundle" in report.reasons[queued]
    world.exchange("bea")
    world.exchange("ada")
    assert_equal(world, BOTH)


def test_a_forged_head_of_a_bundle(world: World) -> None:
    """cyd seals for bea in ada's name: she cannot sign."""
    forged = seal_full(
        Header(4, attacks.EXPIRY_DAYS),
        [world["bea"].card.hpke_key],
        lambda _: cose.sign(
            world["cyd"].keys.signing, kid=bytes.fromhex(world["ada"].card.node_id), payload=b""
        ).to_bytes(),
        Sealer(CountedEntropy("y"), CountedWrapper("y")),
    )
    attacks.leave(world, "ada", "bea", forged)
    done = receive(world)
    assert "signature" in done.report.reasons[bundle_id(forged).hex()]


# -- too early, too new ---------------------------------------------------------------------------


def test_entries_of_an_author_who_is_not_granted_yet_wait_for_the_grant(world: World) -> None:
    world.put("bea", "here", 1)
    world.rounds(BOTH, 2)
    share(world["ada"], world.store("ada"), world["ada"].peer_named("cyd"), Role.WRITER)
    world.exchange("ada", "to cyd")
    world.exchange("cyd", "to cyd")
    world.put("cyd", "tree", "planted")
    sections = [attacks.own_entries(world["cyd"], world.store("cyd"))]
    sealed = attacks.sealed_by(world["cyd"], world["bea"], sections)
    attacks.leave(world, "cyd", "bea", sealed)
    number = bundle_id(sealed).hex()
    assert world.exchange("bea").report.outcomes == {number: Outcome.HELD}
    assert world["bea"].db.receipts(world["cyd"].card.node_id) == []
    assert faults(world["bea"]) == []
    before = tree(world.stick())
    world.exchange("bea")
    assert tree(world.stick()) == before, "its sender would only write it again"
    world.exchange("ada")
    done = world.exchange("bea")
    assert done.report.outcomes[number] is Outcome.MERGED
    assert (number, "") in world["bea"].db.receipts(world["cyd"].card.node_id)
    assert heads(world.store("bea"), "tree") == heads(world.store("cyd"), "tree") != []


def test_a_bundle_waits_for_the_range_before_it(world: World) -> None:
    world.put("ada", "pump", 1)
    world.exchange("ada", "first")
    world.put("ada", "pump", 2)
    world.exchange("ada", "both")
    for path in fragments(world.stick("both")):
        if (world.stick("first") / path.relative_to(world.stick("both"))).exists():
            path.unlink()
    done = world.exchange("bea", "both")
    assert [*done.report.outcomes.values()] == [Outcome.HELD]
    done = world.exchange("bea", "first")
    assert [*done.report.outcomes.values()] == [Outcome.MERGED] * 2
    assert done.report.entries == {("log", "ada"): 2}
    assert world["bea"].spool.held.names() == []
    assert_equal(world, BOTH)


def test_a_long_chain_is_taken_from_its_last_link_on(world: World) -> None:
    for number in range(12):
        world.put("ada", "pump", number)
        world.exchange("ada", "all")
    files = sorted(
        fragments(world.stick("all")),
        key=lambda path: -_counter(world, path.name.split("-")[2]),
    )
    for path in files[:-1]:
        one = world.stick(f"only {path.name}") / path.relative_to(world.stick("all"))
        one.parent.mkdir(parents=True)
        path.rename(one)
        done = world.exchange("bea", f"only {path.name}")
        assert [*done.report.outcomes.values()] == [Outcome.HELD]
    done = world.exchange("bea", "all")
    assert done.report.count(Outcome.MERGED) == 12
    assert_equal(world, BOTH)


def _counter(world: World, number: str) -> int:
    bundle = world["ada"].db.bundle(number)
    assert bundle is not None
    return bundle.counter


def test_sections_in_reverse_order_cost_a_bounded_number_of_passes(world: World) -> None:
    for number in range(70):
        world.put("ada", "pump", number)
    store = world.store("ada")
    sections = [
        attacks.own_entries(world["ada"], store, first, first + 1)
        for first in reversed(range(2, 72))
    ]
    sealed = attacks.sealed_by(world["ada"], world["bea"], sections)
    attacks.leave(world, "ada", "bea", sealed)
    done = world.exchange("bea")
    assert "no order in which they can be merged" in done.report.reasons[bundle_id(sealed).hex()]
    assert faults(world["bea"]) == []


def test_unknown_sections_are_skipped(world: World) -> None:
    world.put("ada", "pump", 1)
    sections = [
        attacks.raw_section(77, 3, b"of a later version"),
        attacks.own_entries(world["ada"], world.store("ada")),
        attacks.raw_section(2**64 - 1, PLAIN, b""),
    ]
    sealed = attacks.sealed_by(world["ada"], world["bea"], sections)
    attacks.leave(world, "ada", "bea", sealed)
    done = receive(world, beside=False)
    assert done.report.outcomes == {bundle_id(sealed).hex(): Outcome.MERGED}
    assert done.report.entries == {("log", "ada"): 1}


def test_a_bundle_of_a_later_version_stays_where_it_is(world: World) -> None:
    sealed, _ = sealed_bundle(world)
    later = sealed[:1] + b"\x02" + sealed[2:]
    path = attacks.leave(world, "ada", "bea", later)
    done = receive(world)
    assert "update pannier to read it" in done.report.reasons[bundle_id(later).hex()]
    assert path.exists()


def test_a_content_of_a_later_version_stays_where_it_is(world: World) -> None:
    ada = world["ada"]
    payload = items.array_head(7) + items.uint(2)
    sealed = seal_full(
        Header(4, attacks.EXPIRY_DAYS),
        [world["bea"].card.hpke_key],
        lambda _: cose.sign(
            ada.keys.signing, kid=bytes.fromhex(ada.card.node_id), payload=payload
        ).to_bytes(),
        Sealer(CountedEntropy("v"), CountedWrapper("v")),
    )
    path = attacks.leave(world, "ada", "bea", sealed)
    done = receive(world)
    assert "update pannier to read it" in done.report.reasons[bundle_id(sealed).hex()]
    assert path.exists()


def test_a_medium_of_a_later_version_is_not_touched(world: World) -> None:
    stick = world.stick("later")
    (stick / "pannier").mkdir()
    (stick / "pannier" / "medium.json").write_text('{"id": "0123456789abcdef", "version": 2}')
    before = tree(stick)
    with pytest.raises(TransportError, match="version 2"):
        world.exchange("bea", "later")
    assert tree(stick) == before
    receive(world)
