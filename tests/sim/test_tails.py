"""Tails between nodes: what is new of a log, for who is known to hold the rest.

Whatever goes wrong on the way, an honest sender's entries come in the end, and nobody is accused.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from bundler.content import Opened, open_bundle, pack_compact
from bundler.plan import Span
from bundler.seal import compact_key
from bundler.sealed import Header, bundle_id
from bundler.sections import BodySection
from bundler.tail_model import encode_tail
from bundler.tail_section import Context, TailSection, log_reference
from bundler.whole import Whole, frame_bytes
from ledger.entry import leaf_bytes
from ledger.genesis import LedgerId
from ledger.log import LogName, LogState, LogStatus, log_origin
from ledger.merkle import extend, frontier_at, leaf_hash
from ledger.note import checkpoint_text
from ledger.seeds import salt
from pannier.import_report import Outcome, Report
from pannier.importing import import_arrived, keyring
from pannier.nodedb import NodeDb
from pannier.out_bundle import OutBundle
from pannier.review import look, waiting
from pannier.sending import prepare
from pannier.statements import UNFOUNDED
from spool.delivery import Delivery
from spool.name import BundleName
from tests.sim.attacks import EXPIRY_DAYS, stamp_of
from tests.sim.world import World, assert_equal, data_queue

MTU = 222
BOTH = ("ada", "bea")
SMALL = f"[peer.{{}}]\nmtu = {MTU}\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two nodes with small frames, who know each other so well that they need few words."""
    with World(tmp_path) as world:
        world.configure("ada", SMALL.format("bea"))
        world.configure("bea", SMALL.format("ada"))
        world.found("ada", "bea")
        for number in range(4):
            world.put("ada", "well", number)
        settle(world)
        yield world


def settle(world: World) -> None:
    world.rounds(BOTH, 4)
    assert_equal(world, BOTH)


def made(world: World, name: str = "ada", other: str = "bea") -> list[OutBundle]:
    node = world[name]
    return prepare(node, node.peer_named(other), mtu=MTU)


def sealed(world: World, bundle: OutBundle, name: str = "ada") -> bytes:
    return world[name].spool.outbox.read(bundle.peer, BundleName.from_text(bundle.name))


def opened(world: World, bundle: OutBundle, name: str = "ada", other: str = "bea") -> Opened:
    return open_bundle(sealed(world, bundle, name), keyring(world[other]))


def kinds(world: World, bundle: OutBundle, name: str = "ada", other: str = "bea") -> list[str]:
    return [type(one).__name__ for one in opened(world, bundle, name, other).sections()]


def hand_over(world: World, *bundles: OutBundle, name: str = "ada", other: str = "bea") -> Report:
    """Bring bundles to the other in one frame each, as if by radio, in this order."""
    for one in bundles:
        file = BundleName.from_text(one.name)
        frame = Whole(hint=bytes.fromhex(file.hint), sealed=sealed(world, one, name)).to_bytes()
        delivery = Delivery(file.fragment(0), world[name].card.node_id, "radio", frame)
        world[other].spool.inbox.receive([delivery])
        world[name].db.note_written(one.bundle_id, "radio", 1, [one.peer])
    return import_arrived(world[other])


def own_log(world: World, name: str = "ada", of: str = "ada") -> LogState:
    author = world[of].card.author
    (log,) = [one for one in world.store(name).logs() if one.name.author == author and one.size]
    return log


@contextmanager
def erased_payloads(world: World, name: str) -> Iterator[None]:
    """The ledger of *name* has lost the payloads of its entries, until the end."""
    path = world.store(name).path
    run_sql(world, name, path, "CREATE TABLE kept AS SELECT id, payload FROM entry")
    run_sql(world, name, path, "UPDATE entry SET payload = NULL WHERE action = 0")
    yield
    put_back = "UPDATE entry SET payload = kept.payload FROM kept WHERE kept.id = entry.id"
    run_sql(world, name, path, put_back)
    run_sql(world, name, path, "DROP TABLE kept")


def run_sql(world: World, name: str, path: Path, statement: str) -> None:
    world.reopen(name)
    with sqlite3.connect(path) as db:
        assert db.execute(statement).rowcount
    db.close()


# -- as it should be ------------------------------------------------------------------------------


def test_one_entry_is_one_frame_and_nothing_else(world: World) -> None:
    world.put("ada", "well", 5)
    (bundle,) = made(world)
    assert kinds(world, bundle) == ["TailSection"]
    assert frame_bytes(bundle.size_bytes) < 160
    report = hand_over(world, bundle)
    assert report.count(Outcome.MERGED) == 1
    assert_equal(world, BOTH)


def test_what_came_is_known_to_be_held_by_who_sent_it(world: World) -> None:
    """ada does not say that its log grew; still bea does not send it back."""
    world.put("ada", "well", 5)
    hand_over(world, *made(world))
    for one in made(world, "bea", "ada"):
        assert one.control
        assert set(kinds(world, one, "bea", "ada")) <= {"HaveSection", "ReceiptSection"}


def test_a_year_of_single_entries_needs_no_long_words(world: World) -> None:
    """What bea answers does not grow with what ada leaves unanswered, nor does ada answer that."""
    answers = []
    for number in range(30):
        world.put("ada", "well", number)
        (bundle,) = made(world)
        hand_over(world, bundle)
        answer = made(world, "bea", "ada")
        hand_over(world, *answer, name="bea", other="ada")
        answers.append(sum(one.size_bytes for one in answer))
        assert data_queue(world["ada"]) == []
        assert made(world) == [], "an answer is answered by nothing"
    assert max(answers[1:]) < MTU - 9, "a frame each, but for what was witnessed"
    assert_equal(world, BOTH)


def test_a_third_log_needs_no_answer_by_who_sent_it(tmp_path: Path) -> None:
    three = ("ada", "bea", "cyd")
    with World(tmp_path, three) as world:
        world.configure("bea", SMALL.format("cyd"))
        world.configure("cyd", SMALL.format("bea"))
        world.found("ada", "bea", "cyd")
        world.put("ada", "well", 1)
        world.rounds(three, 4)
        world.put("ada", "well", 2)
        world.exchange("ada", "left")
        world.exchange("bea", "left")
        (bundle,) = [one for one in made(world, "bea", "cyd") if not one.control]
        assert kinds(world, bundle, "bea", "cyd") == ["TailSection"]
        hand_over(world, bundle, name="bea", other="cyd")
        assert_equal(world, three)
        assert [one.control for one in made(world, "cyd", "bea")] == [True]


def test_large_frames_carry_tails_too_and_say_all_beside(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        world.put("ada", "well", 1)
        settle(world)
        world.put("ada", "well", 2)
        (bundle,) = prepare(world["ada"], world["ada"].peer_named("bea"))
        assert {"HaveSection", "TailSection"} <= set(kinds(world, bundle))
        settle(world)


@pytest.mark.parametrize("reason", ["pq", "clear", "oneway", "many", "large", "unheard"])
def test_who_gets_no_tail(tmp_path: Path, reason: str) -> None:
    names = ("pqada", "bea") if reason == "pq" else BOTH
    with World(tmp_path, names) as world:
        me = names[0]
        world.found(me, "bea")
        world.put(me, "well", 1)
        if reason == "oneway":
            world.configure(me, "[peer.bea]\noneway = true\nrepeat = 1\n")
        if reason != "unheard":
            world.rounds(names, 4)
        if reason == "clear":
            world.configure(me, "[peer.bea]\nclear = true\n")
        if reason == "many":
            world.put_many(me, 257)
        elif reason == "large":
            world.put(me, "well", "x" * 70_000)
        else:
            world.put(me, "well", 2)
        for one in prepare(world[me], world[me].peer_named("bea")):
            if reason != "clear":
                assert "TailSection" not in kinds(world, one, me)


# -- lost, late, twice ----------------------------------------------------------------------------


def test_tails_come_in_any_order(world: World) -> None:
    bundles = []
    for number in range(3):
        world.put("ada", "well", number)
        (*_, newest) = sorted(made(world), key=lambda one: one.counter)
        world["ada"].db.note_written(newest.bundle_id, "radio", 1, [newest.peer])
        bundles.append(newest)
    for one in (bundles[2], bundles[1]):
        assert hand_over(world, one).outcomes == {one.bundle_id: Outcome.HELD}
    report = hand_over(world, bundles[0])
    assert report.count(Outcome.MERGED) == 3
    assert_equal(world, BOTH)


def test_a_lost_one_is_written_again_and_a_repeated_one_changes_nothing(world: World) -> None:
    world.put("ada", "well", 8)
    (bundle,) = made(world)
    world["ada"].db.note_written(bundle.bundle_id, "lost at sea", 1, [bundle.peer])
    assert [one.bundle_id for one in made(world)] == [bundle.bundle_id]
    hand_over(world, bundle)
    world["bea"].db.run("DELETE FROM seen")
    report = hand_over(world, bundle)
    assert report.count(Outcome.MERGED) == 1
    assert not report.entries
    assert_equal(world, BOTH)


def test_a_tail_of_a_log_that_was_lost_waits_for_it(world: World, tmp_path: Path) -> None:
    """The file of the ledger is gone; bea's bookkeeping is not."""
    world.put("ada", "well", 8)
    (bundle,) = made(world)
    path = world.store("bea").path
    world.reopen("bea")
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(tmp_path / file.name)
    assert hand_over(world, bundle).outcomes == {bundle.bundle_id: Outcome.HELD}
    world.rounds(BOTH, 4)
    assert_equal(world, BOTH)


# -- what it builds on is not here ----------------------------------------------------------------


def test_erased_payloads_are_no_forgery_and_all_comes_in_full(world: World) -> None:
    world.put("ada", "well", 8)
    (tail,) = made(world)
    with erased_payloads(world, "bea"):
        report = hand_over(world, tail)
    assert report.outcomes == {tail.bundle_id: Outcome.UNFOUNDED}
    assert report.reasons == {}, "nothing is in quarantine"
    hand_over(world, *made(world, "bea", "ada"), name="bea", other="ada")
    (whole,) = [one for one in made(world) if not one.control]
    assert "LogSection" in kinds(world, whole)
    world.exchange("ada")
    world.exchange("bea")
    assert_equal(world, BOTH)


def test_a_tail_never_goes_round_for_ever(world: World) -> None:
    """Whatever bea erases, each entry costs at most one tail and one section."""
    counts = {Outcome.UNFOUNDED: 0, Outcome.MERGED: 0}
    for number in range(6):
        world.put("ada", "well", number)
        with erased_payloads(world, "bea"):
            for name in BOTH * 3:
                done = world.exchange(name)
                for outcome in done.report.outcomes.values():
                    counts[outcome] = counts.get(outcome, 0) + 1
        assert_equal(world, BOTH)
        assert data_queue(world["ada"]) == []
    assert 1 <= counts[Outcome.UNFOUNDED] <= 6


def test_after_one_was_sent_back_tails_build_on_what_came_in_full(world: World) -> None:
    world.put("ada", "well", 8)
    size = own_log(world).size
    with erased_payloads(world, "bea"):
        world.rounds(BOTH, 4)
    world.put("ada", "well", 9)
    (bundle,) = made(world)
    (tail,) = [one for one in opened(world, bundle).sections() if isinstance(one, TailSection)]
    assert tail.context.span(tail.first) == (size - 1, size)
    assert hand_over(world, bundle).count(Outcome.MERGED) == 1


def test_a_receipt_that_got_lost_says_the_same_again(world: World) -> None:
    world.put("ada", "well", 8)
    (tail,) = made(world)
    keys = world["ada"].shared.pairwise_keys(world["ada"].peer_named("bea"))
    with erased_payloads(world, "bea"):
        hand_over(world, tail)
    world["bea"].db.run("DELETE FROM due")
    world.configure("ada", "")  # large frames: says in the next what is on its way
    world.put("ada", "well", 9)
    settle(world)
    bundle = world["ada"].db.bundle(tail.bundle_id)
    assert bundle is not None
    assert (bundle.state, bundle.note) == ("refused", UNFOUNDED)
    assert world["ada"].shared.pairwise_keys(world["ada"].peer_named("bea")) == keys


# -- backups --------------------------------------------------------------------------------------


def test_the_receiver_is_restored(world: World) -> None:
    copy = world.back_up("bea")
    for number in range(3):
        world.put("ada", "well", number)
        settle(world)
    world.restore("bea", copy)
    for number in range(3):
        world.put("ada", "well", 10 + number)
        world.rounds(BOTH, 1)
    settle(world)


def test_the_sender_is_restored_and_goes_on_at_once(world: World) -> None:
    copy = world.back_up("ada")
    for number in range(3):
        world.put("ada", "well", number)
        settle(world)
    world.restore("ada", copy)
    world.put("ada", "pump", "another branch")
    world.put("ada", "pump", "goes on")
    world.rounds(BOTH, 6)
    assert_equal(world, BOTH)
    assert LogStatus.FORKED not in {log.status for log in world.store("bea").logs()}


def test_of_a_restored_sender_nothing_old_is_believed(world: World) -> None:
    """A tail that was late on its way says nothing of what its sender holds by now."""
    copy = world.back_up("ada")
    world.put("ada", "well", 7)
    (late,) = made(world)
    frame = sealed(world, late)
    world.restore("ada", copy)
    world.put("ada", "well", "another")
    world.rounds(BOTH, 2)
    name = BundleName.from_text(late.name)
    whole = Whole(hint=bytes.fromhex(name.hint), sealed=frame).to_bytes()
    delivery = Delivery(name.fragment(0), world["ada"].card.node_id, "radio", whole)
    world["bea"].spool.inbox.receive([delivery])
    import_arrived(world["bea"])
    world.rounds(BOTH, 6)
    assert_equal(world, BOTH)


def test_what_is_under_a_former_incarnation_is_made_anew(world: World) -> None:
    world.put("ada", "well", 7)
    (old,) = made(world)
    world["ada"].db.note_written(old.bundle_id, "radio", 1, [old.peer])
    world["ada"].counting.renew(above=world["ada"].counting.incarnation())
    bundles = made(world)
    assert old.bundle_id not in [one.bundle_id for one in bundles]
    assert [world["ada"].db.spans(one.bundle_id)[0][2] for one in bundles] == [Span(5, 6)]
    assert not any(opened(world, one).is_compact for one in bundles), "bea knows nothing of it yet"
    settle(world)
    world.put("ada", "well", 8)
    assert [opened(world, one).is_compact for one in made(world)] == [True]


def test_a_receiver_that_lost_its_bookkeeping_is_sent_all_anew(world: World) -> None:
    world.put("ada", "well", 7)
    world.exchange("ada")
    world.forget("bea")
    world.rounds(BOTH, 4)
    settle(world)


# -- a hostile member -----------------------------------------------------------------------------


def forged(world: World, *sections: BodySection) -> Report:
    """What bea makes of sections that ada made up."""
    ada, bea = world["ada"], world["bea"]
    key = ada.shared.own_pairwise_key(ada.peer_named("bea"))
    stamp = stamp_of(ada)
    compact = compact_key(
        key, sender=ada.card.author, recipient=bea.card.author, incarnation=stamp.incarnation
    )
    data = pack_compact(
        sections, header=Header(4, EXPIRY_DAYS), stamp=stamp, key=compact, is_padded=False
    )
    number = bundle_id(data)
    hint = ada.shared.hint_to(ada.peer_named("bea"), number)
    name = BundleName(4, EXPIRY_DAYS, hint.hex(), number.hex(), 184).fragment(0)
    frame = Whole(hint=hint, sealed=data).to_bytes()
    bea.spool.inbox.receive([Delivery(name, ada.card.node_id, "radio", frame)])
    return import_arrived(bea)


def tail(world: World, *, first: int | None = None, signature: bytes, back: int = 0) -> TailSection:
    store, log = world.store("ada"), own_log(world)
    at = log.size if first is None else first
    context = Context(back, 4)
    entries = store.entries(log, 3, 4)
    return TailSection(
        reference=log_reference(store.ledger_id, log.name),
        signature=signature,
        first=at,
        count=1,
        context=context,
        data=encode_tail(entries, store.entries(log, *context.span(at))),
    )


def test_nothing_comes_in_that_its_author_did_not_sign(world: World) -> None:
    before = own_log(world, "bea")
    genuine = world.store("ada").last_checkpoint(own_log(world))
    assert genuine is not None
    for signature in (bytes(64), genuine.signature):
        report = forged(world, tail(world, signature=signature))
        assert set(report.outcomes.values()) == {Outcome.UNFOUNDED}
    assert own_log(world, "bea") == before


def test_two_histories_in_tails_are_a_fork(world: World) -> None:
    """ada signs another entry where bea holds one: the proof is the same as by a log section."""
    store, log = world.store("ada"), own_log(world)
    at = log.size - 1
    (entry,) = store.entries(log, 3, 4)
    frontier = frontier_at(at, store.nodes(log))
    digest = sha256(salt(log.cover, at) + (entry.payload or b"")).digest()
    root = extend(frontier, [leaf_hash(leaf_bytes(entry._replace(digest=digest)))]).frontier.root()
    text = checkpoint_text(log_origin(store.ledger_id, log.name), at + 1, root)
    signature = world["ada"].keys.signing.sign(text)
    report = forged(world, tail(world, first=at, signature=signature))
    assert set(report.outcomes.values()) == {Outcome.HELD}
    assert own_log(world, "bea").status is LogStatus.FORKED
    assert len(list(world.store("bea").evidence("fork"))) == 1


def test_work_for_a_reader_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pannier.merging.MAX_TAILS_ENTRIES", 4_000)
    one = tail(world, signature=bytes(64))
    world.put_many("ada", 1100)
    settle(world)
    big = tail(world, signature=bytes(64))
    long = TailSection(
        reference=one.reference,
        signature=bytes(64),
        first=big.first,
        count=256,
        context=Context(0, 11),
        data=b"",
    )
    assert set(forged(world, *[long] * 3).outcomes.values()) == {Outcome.UNFOUNDED}
    report = forged(world, *[long] * 4)
    assert set(report.outcomes.values()) == {Outcome.REFUSED}
    assert any("too many entries" in reason for reason in report.reasons.values())


def test_what_cannot_be_read_is_looked_up_once_for_all_tails_that_fit_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer chooses how many logs it says it has of that ledger, and how many tails it sends."""
    world.found("ada", "bea", ledger="other")
    settle(world)
    spoilt = world.store("bea", "other").path
    astray = tail(world, signature=bytes(64))
    world.reopen("bea")
    spoilt.write_bytes(b"nothing of a ledger")
    asked, logs_of = list[LedgerId](), NodeDb.logs_of

    def counted(db: NodeDb, ledger_id: LedgerId) -> list[LogName]:
        asked.append(ledger_id)
        return logs_of(db, ledger_id)

    monkeypatch.setattr(NodeDb, "logs_of", counted)
    assert set(forged(world, *[astray] * 8).outcomes.values()) == {Outcome.UNFOUNDED}
    assert [one.hex() for one in asked] == [spoilt.stem]


@pytest.mark.parametrize(("count", "outcome"), [(4, Outcome.MERGED), (6, Outcome.REFUSED)])
def test_tails_in_the_wrong_order_are_not_worked_through_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch, count: int, outcome: Outcome
) -> None:
    """Of each pass over tails that stand the wrong way round one alone comes in."""
    tails = []
    for number in range(count):
        world.put("ada", "well", number)
        (bundle, *_) = reversed(made(world))
        tails += [one for one in opened(world, bundle).sections() if isinstance(one, TailSection)]
        world["ada"].db.note_written(bundle.bundle_id, "radio", 1, [bundle.peer])
    spans = [one.context.span(one.first) for one in tails]
    most = sum(one.count + end - begin for one, (begin, end) in zip(tails, spans, strict=True))
    monkeypatch.setattr("pannier.merging.MAX_TAILS_ENTRIES", most)
    assert len(tails) == count
    assert set(forged(world, *reversed(tails)).outcomes.values()) == {outcome}


def test_a_log_of_the_same_reference_does_not_hide_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("bea", "well", 1)
    settle(world)
    for module in ("tail_sending", "tail_reading"):
        monkeypatch.setattr(f"pannier.{module}.log_reference", lambda *_: b"same")
    world.put("ada", "well", 5)
    report = hand_over(world, *made(world))
    assert report.count(Outcome.MERGED) == 1
    assert_equal(world, BOTH)


def test_a_reader_in_review_sees_what_a_tail_says(world: World) -> None:
    world.configure("bea", SMALL.format("ada") + 'import = "review"\n')
    world.put("ada", "well", 5)
    (first,) = made(world)
    hand_over(world, first)
    world.put("ada", "well", 6)
    second = next(one for one in made(world) if one.bundle_id != first.bundle_id)
    hand_over(world, second)
    found = {one.bundle_id: look(world["bea"], one) for one in waiting(world["bea"])}
    (ledger,) = found[first.bundle_id].ledgers
    assert sum(author.entries for author in ledger.authors.values()) == 1
    assert "builds on" in found[second.bundle_id].problem
