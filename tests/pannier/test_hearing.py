"""What one node tells another that it holds, by differences, whatever happens on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundler.content import Opened
from bundler.have_digest import Holding, digest_of
from bundler.head import Stamp
from bundler.notices import HaveSection, HeldLog, LedgerHave, Scope, Seen
from bundler.sealed import Header
from bundler.sections import encode_section
from ledger.genesis import LedgerId
from pannier import have_rows
from pannier.have import OwnHave, known_have, note_own_have, telling
from pannier.home import Peer
from pannier.node import Node
from pannier.statements import believe
from tests.sim.world import World

LEDGERS = (LedgerId(b"a" * 16), LedgerId(b"b" * 16))
Vector = dict[int, int]
"""Sizes of the logs of ada, by number."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("hearing"), ("ada", "bea")) as world:
        yield world


def holdings(vector: Vector) -> list[Holding]:
    return [
        (
            LEDGERS[number % 2],
            HeldLog(
                number.to_bytes(32, "big"),
                number.to_bytes(8, "little"),
                size,
                size.to_bytes(16, "big"),
                0 if number % 5 == 0 else None,
            ),
        )
        for number, size in vector.items()
        if size
    ]


@dataclass(frozen=True)
class Message:
    """What was said under one counter, and what was held then."""

    stamp: Stamp
    own: OwnHave
    there: bytes

    @property
    def size_bytes(self) -> int:
        return sum(len(one.to_body()) for one in self.own.sections)


def hear(world: World, name: str, message: Message) -> None:
    """Let *name* hear what the other one said."""
    node = world[name]
    sender = node.peer_named("bea" if name == "ada" else "ada")
    body = b"".join(map(encode_section, message.own.sections))
    opened = Opened(
        header=Header(1, 2400),
        sender=sender.card.author,
        stamp=message.stamp,
        is_pairwise=False,
        encoded_sections=memoryview(body),
    )
    believe(node, sender, opened, [])


@dataclass
class Talk:
    """Ada tells bea what she holds; bea tells ada how far she understood."""

    world: World
    vector: Vector = field(default_factory=dict)
    said: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, other in (("ada", "bea"), ("bea", "ada")):
            self.world[name].db.forget_peer(self.peer(name, other).node_id)

    def peer(self, name: str, other: str) -> Peer:
        return self.world[name].peer_named(other)

    def say(self, name: str = "ada") -> Message:
        node = self.world[name]
        other = self.peer(name, "bea" if name == "ada" else "ada")
        there = holdings(self.vector) if name == "ada" else []
        own = telling(node, other, there)
        stamp = node.counting.stamp()
        note_own_have(node, other, own, stamp.counter)
        return Message(stamp, own, digest_of(there))

    def hear(self, name: str, message: Message) -> None:
        hear(self.world, name, message)

    def tell(self) -> Message:
        """Ada says something that arrives."""
        message = self.say()
        self.said.append(message)
        self.hear("bea", message)
        return message

    def answer(self) -> Message:
        """Bea says something that arrives."""
        message = self.say("bea")
        self.hear("ada", message)
        return message

    def known(self) -> dict[bytes, int]:
        """What bea thinks that ada holds."""
        found = known_have(self.world["bea"], self.peer("bea", "ada")).logs
        return {held.author: held.size for held in found.values()}

    def is_known(self) -> bool:
        """Whether bea knows what ada holds."""
        node_id = self.peer("bea", "ada").node_id
        held = have_rows.held_by(self.world["bea"].db, node_id)
        return digest_of(held) == digest_of(holdings(self.vector))

    def check(self, heard: Message) -> None:
        """What bea takes for all that ada held is what ada held when she said so."""
        state = self.world["bea"].db.peer(self.peer("bea", "ada").node_id)
        stamp = state.incarnation, state.have and state.have.counter
        if stamp == (heard.stamp.incarnation, heard.stamp.counter) and state.have is not None:
            held = have_rows.held_by(self.world["bea"].db, self.peer("bea", "ada").node_id)
            assert state.have.whole != state.have.counter or digest_of(held) == heard.there


def started(world: World, count: int = 100) -> Talk:
    """Bea knows all that ada holds, and ada knows that."""
    talk = Talk(world, dict.fromkeys(range(1, count + 1), 1))
    talk.tell()
    talk.answer()
    return talk


# -- what is said ---------------------------------------------------------------------------------


def test_what_is_told_first_is_all(world: World) -> None:
    talk = Talk(world, {1: 5, 2: 7})
    (section,) = talk.tell().own.sections
    assert section.scope is None
    assert talk.is_known()


def test_who_knows_all_is_told_what_changed(world: World) -> None:
    talk = started(world)
    talk.vector |= {7: 2, 8: 0, 500: 1}
    message = talk.tell()
    (section,) = message.own.sections
    assert sum(len(logs) for _, logs in section.ledgers) == 3
    assert message.size_bytes < 350
    assert talk.is_known()


def test_where_nothing_changed_a_digest_is_said(world: World) -> None:
    talk = started(world)
    (section,) = talk.tell().own.sections
    assert (section.ledgers, section.scope) == ((), Scope(digest_of(holdings(talk.vector))))
    assert len(section.to_body()) < 60


def test_what_was_not_confirmed_is_said_again(world: World) -> None:
    talk = started(world)
    talk.vector[7] = 2
    talk.say()  # lost
    talk.vector[8] = 2
    (section,) = talk.tell().own.sections
    assert sum(len(logs) for _, logs in section.ledgers) == 2
    assert talk.is_known()


def test_what_is_gone_is_said_until_it_is_known(world: World) -> None:
    talk = started(world)
    talk.vector[7] = 0
    for is_heard in (False, True):
        message = talk.say()
        assert [held.size for _, logs in message.own.sections[0].ledgers for held in logs] == [0]
        if is_heard:
            talk.hear("bea", message)
    talk.answer()
    assert talk.tell().own.marks == {}
    assert talk.is_known()
    told = have_rows.told(world["ada"].db, talk.peer("ada", "bea").node_id)
    assert b"" not in {one.mark for one in told.values()}


def test_if_most_changed_all_is_said(world: World) -> None:
    talk = started(world)
    talk.vector = dict.fromkeys(talk.vector, 9)
    (section,) = talk.tell().own.sections
    assert section.scope is None
    assert talk.is_known()


def test_very_many_logs_are_said_in_several_sections(world: World) -> None:
    talk = Talk(world, dict.fromkeys(range(1, 20_001), 1))
    message = talk.tell()
    assert len(message.own.sections) == 3
    assert max(len(one.to_body()) for one in message.own.sections) < 1 << 20
    assert talk.is_known()
    talk.answer()
    assert not talk.tell().own.is_full


def test_a_restored_node_says_all(world: World) -> None:
    talk = started(world)
    world["ada"].counting.renew(above=world["ada"].counting.incarnation())
    assert talk.tell().own.is_full
    assert talk.is_known()


# -- what is believed -----------------------------------------------------------------------------


def test_a_difference_to_something_else_is_believed_only_in_what_it_names(world: World) -> None:
    talk = started(world)
    before = talk.known()
    lost = (7).to_bytes(32, "big")
    talk.vector |= {7: 3}
    talk.tell()
    talk.answer()
    forget(talk, (7, 8))
    talk.vector[9] = 2
    talk.tell()
    assert talk.known() == {
        author: 2 if author == (9).to_bytes(32, "big") else size
        for author, size in before.items()
        if author not in {lost, (8).to_bytes(32, "big")}
    }
    state = talk.world["bea"].db.peer(talk.peer("bea", "ada").node_id).have
    assert state is not None
    assert state.whole != state.counter
    # Then she asks, and is told the parts that she does not know.
    question = talk.answer()
    assert question.own.sections[0].ask is not None
    message = talk.tell()
    assert not message.own.is_full
    assert 2 <= sum(len(logs) for _, logs in message.own.sections[0].ledgers) < 40
    assert talk.is_known()
    assert talk.answer().own.sections[0].ask is None


def forget(talk: Talk, numbers: Sequence[int]) -> None:
    """Let bea forget some logs: her node.db was older, or repaired."""
    for number in numbers:
        talk.world["bea"].db.run("DELETE FROM held WHERE author = ?", number.to_bytes(32, "big"))


def test_a_difference_that_is_in_doubt_confirms_nothing(tmp_path: Path) -> None:
    with World(tmp_path, ("ada", "bea")) as world:
        world.found("ada", "bea")
        world.put("ada", "well", 1)
        world.rounds(["ada", "bea", "ada"], 1)
        world.put("ada", "well", 2)
        world.exchange("ada")
        ada, bea = world["ada"], world["bea"]
        (waiting,) = [one for one in ada.db.bundles(bea.card.node_id) if not one.control]
        store = world.store("ada")
        truth = [
            (store.ledger_id, HeldLog(*log.name, log.size, log.frontier.root()[:16]))
            for log in store.logs()
        ]
        by_ledger = tuple(LedgerHave(ledger, (held,)) for ledger, held in truth)
        seen = ada.db.peer(bea.card.node_id)
        assert seen.incarnation is not None
        keys = tuple(sorted(ada.shared.pairwise_keys(ada.peer_named("bea"))))
        said = HaveSection(seen=Seen(ada.counting.incarnation(), 0), key_ids=keys, ledgers=())
        for digest, is_queued in ((bytes(8), True), (digest_of(truth), False)):
            section = replace(said, ledgers=by_ledger, scope=Scope(digest))
            stamp = Stamp(incarnation=seen.incarnation, counter=seen.counter + 1, time_us=1)
            own = replace(telling(bea, bea.peer_named("ada"), []), sections=(section,))
            hear(world, "ada", Message(stamp, own, b""))
            queued = [one.bundle_id for one in ada.db.bundles(bea.card.node_id)]
            assert (waiting.bundle_id in queued) is is_queued


def test_a_have_counts_though_a_later_message_of_other_things_came_first(world: World) -> None:
    talk = started(world)
    talk.vector[7] = 2
    late = talk.say()
    bea, ada = world["bea"], talk.peer("bea", "ada")
    bea.db.advance_peer(ada.node_id, late.stamp.incarnation, late.stamp.counter + 1)
    talk.hear("bea", late)
    assert talk.is_known()


def test_what_is_heard_again_is_compared_again(world: World) -> None:
    talk = started(world)
    message = talk.tell()
    forget(talk, (7,))
    talk.hear("bea", message)
    talk.answer()
    talk.tell()
    assert talk.is_known()


def test_a_have_of_before_a_restored_backup_is_not_believed(world: World) -> None:
    talk = started(world)
    talk.vector[7] = 2
    late = talk.say()
    bea, ada = world["bea"], talk.peer("bea", "ada")
    bea.db.advance_peer(ada.node_id, b"\xfe" * 8, 1)
    talk.hear("bea", late)
    assert not talk.is_known()


def test_who_claims_more_logs_than_anybody_has_is_believed_to_hold_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pannier.hearing.MAX_LOGS", 50)
    talk = Talk(world, dict.fromkeys(range(1, 61), 1))
    talk.tell()
    assert have_rows.held_by(world["bea"].db, talk.peer("bea", "ada").node_id) == []


def test_differences_do_not_add_up_to_more_logs_than_anybody_has(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pannier.hearing.MAX_LOGS", 50)
    talk = Talk(world, dict.fromkeys(range(1, 41), 1))
    talk.tell()
    node, peer = world["bea"], talk.peer("bea", "ada").node_id
    assert len(have_rows.held_by(node.db, peer)) == 40
    others = Scope(digest_of(holdings(dict.fromkeys(range(1, 81), 1))))
    more = holdings(dict.fromkeys(range(41, 81), 1))
    talk.hear("bea", claim(talk, *(section(one, others) for one in more[:20])))
    assert have_rows.held_by(node.db, peer) == []
    talk.tell()
    assert talk.is_known()


def test_a_difference_in_very_many_sections_is_not_worked_through(world: World) -> None:
    talk = Talk(world, {1: 1})
    talk.tell()
    again = holdings({1: 2})[0]
    buckets = Scope(digest_of([again]), 1, (0, 1))
    talk.hear("bea", claim(talk, *[section(again, buckets)] * 32))
    assert talk.known() == {again[1].author: 2}
    talk.hear("bea", claim(talk, *[section(again, buckets)] * 33))
    assert talk.known() == {}


def section(holding: Holding, scope: Scope) -> HaveSection:
    ledger, held = holding
    return HaveSection(seen=None, key_ids=(), ledgers=(LedgerHave(ledger, (held,)),), scope=scope)


def claim(talk: Talk, *sections: HaveSection) -> Message:
    """Ada says anything."""
    said = talk.say()
    return replace(said, own=replace(said.own, sections=sections))


# -- whatever happens -----------------------------------------------------------------------------

OPS = st.one_of(
    st.tuples(st.just("change"), st.integers(1, 12), st.integers(0, 4)),
    st.tuples(st.just("say"), st.just(0), st.just(0)),
    st.tuples(st.just("hear"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("answer"), st.just(0), st.just(0)),
    st.tuples(st.just("forget"), st.integers(1, 12), st.just(0)),
    st.tuples(st.just("lose"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("keep"), st.just(0), st.just(0)),
    st.tuples(st.just("put back"), st.just(0), st.just(0)),
)
_TABLES = ("peer", "held", "told")


def rows(node: Node) -> dict[str, list[tuple[object, ...]]]:
    return {table: list(node.db.rows(f"SELECT * FROM {table}")) for table in _TABLES}  # noqa: S608


def put_back(node: Node, kept: dict[str, list[tuple[object, ...]]]) -> None:
    with node.db.transaction():
        for table, found in kept.items():
            node.db.run(f"DELETE FROM {table}")  # noqa: S608
            for row in found:
                marks = ", ".join("?" * len(row))
                node.db.run(f"INSERT INTO {table} VALUES ({marks})", *row)  # type: ignore[arg-type]  # noqa: S608


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OPS, max_size=40))
def test_nothing_counts_as_held_that_is_not_and_all_is_known_in_the_end(
    world: World, ops: list[tuple[str, int, int]]
) -> None:
    talk = started(world, 12)
    bea = world["bea"]
    kept = rows(bea)
    for what, number, size in ops:
        if what == "change":
            talk.vector[number] = size
        elif what == "say":
            talk.said.append(talk.say())
        elif what == "hear":
            heard = talk.said[-1 - number % len(talk.said)]
            talk.hear("bea", heard)
            talk.check(heard)
        elif what == "answer":
            talk.answer()
        elif what == "forget":
            forget(talk, [number])
        elif what == "lose":
            name, other = (("bea", "ada"), ("ada", "bea"))[number]
            world[name].db.forget_peer(talk.peer(name, other).node_id)
        elif what == "keep":
            kept = rows(bea)
        else:
            put_back(bea, kept)
    for _ in range(3):
        talk.check(talk.tell())
        talk.answer()
    assert talk.is_known()
