"""What waits for a person's word: nothing of it changes a ledger before that word is said."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.log_section import LogSection
from bundler.notices import GenesisSection
from bundler.sealed import bundle_id
from bundler.sections import encode_section
from ledger.append import Draft
from ledger.card import Card
from ledger.data import payload_from_value
from ledger.errors import BusyError
from ledger.facts import Grant, Revocation
from ledger.genesis import Genesis
from ledger.members import Members, Role, members
from ledger.store import Store
from ledger.views import things
from pannier import decisions
from pannier.errors import UsageError
from pannier.exchange import exchange_medium
from pannier.gate import must_ask
from pannier.home import add_peer
from pannier.import_report import Outcome, Report
from pannier.ledgers import put
from pannier.membership import share
from pannier.oneway import pack, unpack
from pannier.origin import Group
from pannier.overview import overview
from pannier.review import Inside, accept, find, look, refuse, waiting
from tests.pannier.groups import copy_group, make_group
from tests.sim.attacks import leave, own_entries, raw_section, sealed_by
from tests.sim.world import World, assert_equal, entries_of, tree

ASKS = "[peer.ada]\nimport = 'review'\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.configure("bea", ASKS)
        world.found("ada", "bea", "cyd")
        world.put("ada", "well", 1)
        yield world


def brought(world: World, sender: str = "ada", stick: str = "stick") -> Report:
    """*sender* leaves what bea lacks on a stick, and bea takes it."""
    world.exchange(sender, stick)
    return world.exchange("bea", stick).report


def written(world: World) -> int:
    """How many entries ada wrote: two grants, what they entail, and what she put."""
    return sum(log.size for log in world.store("ada").logs())


def asked(world: World) -> list[str]:
    return [one.bundle_id for one in waiting(world["bea"])]


def inside(world: World) -> Inside:
    (one,) = waiting(world["bea"])
    return look(world["bea"], one)


def said_yes(world: World, *ids: str) -> Report:
    bea = world["bea"]
    return accept(bea, find(bea, ids or asked(world)))


def said_no(world: World, why: str = "") -> Report:
    bea = world["bea"]
    return refuse(bea, waiting(bea), why)


def held_entries(world: World) -> set[tuple[object, ...]]:
    return {entry for store in world["bea"].ledgers() for entry in entries_of(store)}


# -- asking ---------------------------------------------------------------------------------------


def test_nothing_is_merged_before_it_is_accepted_and_all_of_it_then(world: World) -> None:
    report = brought(world)
    assert set(report.outcomes.values()) == {Outcome.REVIEW}
    assert (report.entries, world.has("bea")) == ({}, False)
    for _ in range(3):
        assert world.exchange("bea").report.entries == {}
    seen = overview(world["bea"])
    assert (seen.review, seen.held, seen.incomplete) == (1, 0, 0)
    report = said_yes(world)
    assert report.entries == {("log", "ada"): written(world)}
    assert any("joined the ledger log" in note for note in report.notes)
    assert (asked(world), world["bea"].spool.held.names()) == ([], [])
    world.rounds(["ada", "bea"], 2)
    assert_equal(world, ["ada", "bea"])
    assert world["ada"].spool.outbox.queued(world["bea"].card.node_id) == []


def test_what_a_sender_says_of_itself_is_believed_at_once(world: World) -> None:
    brought(world)
    state = world["bea"].db.peer(world["ada"].card.node_id)
    assert state.have is not None
    assert state.counter > 0
    assert world["bea"].db.heard()[world["ada"].card.node_id] > 0


def test_what_only_speaks_of_its_sender_is_not_asked_about(world: World) -> None:
    brought(world)
    said_yes(world)
    world.put("bea", "well", 2)
    world.exchange("bea")
    report = brought(world)  # a receipt and a have, no entries
    assert set(report.outcomes.values()) == {Outcome.MERGED}
    assert asked(world) == []


def test_other_peers_are_not_asked_about(world: World) -> None:
    world.exchange("ada", "first")
    world.exchange("cyd", "first")
    brought(world, "cyd", "other")  # and what ada sealed for bea, which cyd only carries
    assert written(world) == len(held_entries(world))
    assert [one.sender for one in waiting(world["bea"])] == ["ada"]


def test_what_is_new_is_asked_about_again(world: World) -> None:
    brought(world)
    said_yes(world)
    world.put("ada", "well", 2)
    assert set(brought(world).outcomes.values()) >= {Outcome.REVIEW}
    assert said_yes(world).entries == {("log", "ada"): 1}


def test_a_bundle_that_was_accepted_never_asks_again(world: World) -> None:
    brought(world)
    copies = tree(world.stick())
    said_yes(world)
    bea = world["bea"]
    bea.db.run("DELETE FROM seen")  # forgotten, as years later
    for name, data in copies.items():
        (world.stick("old") / name).parent.mkdir(parents=True, exist_ok=True)
        (world.stick("old") / name).write_bytes(data)
    assert set(world.exchange("bea", "old").report.outcomes.values()) == {Outcome.MERGED}
    assert asked(world) == []


def test_an_accepted_bundle_may_wait_for_something_else_unasked(world: World) -> None:
    world.exchange("ada")
    world.stick("first")
    world.put("ada", "well", 2)
    ada, bea = world["ada"], world["bea"]
    late = sealed_by(ada, bea, [own_entries(ada, world.store("ada"), written(world) - 1)])
    leave(world, "ada", "bea", late, "second")
    assert set(world.exchange("bea", "second").report.outcomes.values()) == {Outcome.REVIEW}
    report = said_yes(world, bundle_id(late).hex())
    assert (report.entries, asked(world)) == ({}, []), "it waits for the ledger"
    assert bea.spool.held.names() != []
    world.exchange("bea", "stick")
    assert said_yes(world).entries == {("log", "ada"): written(world)}
    assert bea.spool.held.names() == []


# -- what is in it --------------------------------------------------------------------------------


def test_the_summary_of_a_ledger_that_is_new(world: World) -> None:
    ada = world["ada"]
    drafts = [
        Draft(thing="x", payload=payload_from_value(1), time_us=1, kind=kind)
        for kind in ("rain", "rain", "wind")
    ]
    put(ada, world.store("ada"), drafts)
    brought(world)
    before = tree(world.home("bea").ledgers)
    found = inside(world)
    assert tree(world.home("bea").ledgers) == before == {}, "no ledger is touched"
    (ledger,) = found.ledgers
    assert found.is_proven
    assert (ledger.name, ledger.is_new, ledger.admins) == ("log", True, ["ada"])
    (author,) = ledger.authors.values()
    assert (author.name, author.is_new, author.known) == ("ada", True, 0)
    assert author.entries == sum(author.kinds.values()) == sum(author.actions.values())
    assert author.entries == written(world)
    assert (author.kinds["rain"], author.kinds["wind"]) == (2, 1)
    assert (author.actions["grant"], author.actions["put"]) == (2, 4)
    cards = {name: world[name].card.fingerprint for name in ("bea", "cyd")}
    assert ledger.grants == [(name, "writer", cards[name]) for name in ("bea", "cyd")]
    assert (ledger.revocations, ledger.unlisted, ledger.forks) == ([], 0, 0)


def test_the_summary_of_more_of_a_known_ledger(world: World) -> None:
    brought(world)
    said_yes(world)
    ada, store, before = world["ada"], world.store("ada"), written(world)
    revocation = Revocation(author=world["cyd"].card.author, sizes={})
    drafts = [
        Draft(thing="members", payload=revocation.to_payload(), time_us=1, action=3),
        Draft(thing="x", payload=payload_from_value(1), time_us=1),
    ]
    put(ada, store, drafts)
    whole = sealed_by(ada, world["bea"], [own_entries(ada, store)])
    leave(world, "ada", "bea", whole, "direct")
    world.exchange("bea", "direct")
    (ledger,) = inside(world).ledgers
    (author,) = ledger.authors.values()
    assert (ledger.is_new, author.is_new, author.known) == (False, False, before)
    assert author.entries == written(world) - before
    assert (ledger.grants, ledger.revocations) == ([], ["cyd"]), "what is here is not told again"
    assert author.actions["revoke"] == author.actions["put"] == 1


def test_an_author_of_whom_nothing_is_here_is_new(world: World) -> None:
    brought(world)
    said_yes(world)
    world.rounds(["ada", "cyd"], 2, "other")
    world.put("cyd", "well", 5)
    world.rounds(["cyd", "ada", "bea"], 1, "other")
    (ledger,) = inside(world).ledgers
    found = {one.name: one.is_new for one in ledger.authors.values()}
    assert found == {"cyd": False}, "it was granted before"


# -- who is in it ---------------------------------------------------------------------------------


def stranger(world: World, folder: str, name: str) -> Card:
    """The card of somebody whom nobody knows, and who calls itself *name*."""
    world.add(folder)
    return renamed(world, folder, name)


def renamed(world: World, folder: str, name: str) -> Card:
    """Another card of a node, on which it calls itself *name*."""
    keys = world[folder].keys
    return Card.sign(keys.signing, name=name, keys=keys.card.keys)


def founded(*founders: Sequence[Card]) -> list[bytes]:
    """As many ledgers, each with its founders."""
    made = [
        Genesis(name="new", admins=tuple(admins), time_us=0, nonce=number.to_bytes(16, "big"))
        for number, admins in enumerate(founders)
    ]
    return [encode_section(GenesisSection(genesis=one.to_bytes())) for one in made]


def told_of(world: World, sections: Sequence[bytes]) -> Inside:
    """What bea is shown of what ada says."""
    ada, bea = world["ada"], world["bea"]
    leave(world, "ada", "bea", sealed_by(ada, bea, sections), "direct")
    world.exchange("bea", "direct")
    return inside(world)


def test_founders_of_one_name_are_told_apart_in_whatever_ledgers(world: World) -> None:
    dan, other = stranger(world, "dan", "dan"), stranger(world, "other", " Dan")
    found = told_of(world, founded([dan], [other], [stranger(world, "eve", "eve")]))
    called = [f"dan ({dan.node_id[:8]})", f" Dan ({other.node_id[:8]})", "eve"]
    assert [one.admins for one in found.ledgers] == [[one] for one in called]


def test_one_founder_who_calls_itself_like_two_is_shown_as_one(world: World) -> None:
    card = stranger(world, "mal", "ada, bea")
    (ledger,) = told_of(world, founded([card])).ledgers
    assert ledger.admins == [f'"ada, bea" ({card.node_id[:8]})']


def test_another_card_gives_nobody_another_name_than_the_one_in_a_ledger_here(
    world: World,
) -> None:
    brought(world)
    said_yes(world)
    world.add("mallory")
    add_peer(world.home("ada"), "mallory", world["mallory"].card, own=world["ada"].card.author)
    world.reopen("ada")
    ada = world["ada"]
    share(ada, world.store("ada"), ada.peer_named("mallory"), Role.WRITER)
    brought(world)
    said_yes(world)
    (ledger,) = told_of(world, founded([renamed(world, "mallory", "carol")])).ledgers
    assert ledger.admins == ["mallory"]


def test_each_is_called_by_one_name_and_the_ledgers_are_asked_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much a bundle brings: whoever is under review chooses that."""
    brought(world)
    said_yes(world)
    cards = [stranger(world, f"s{number}", f"s{number}") for number in range(3)]
    asked_for: list[Store] = []

    def _members(store: Store) -> Members:
        asked_for.append(store)
        return members(store)

    monkeypatch.setattr("pannier.names.members", _members)
    found = told_of(world, founded(*[cards] * 10))
    assert [one.admins for one in found.ledgers] == [["s0", "s1", "s2"]] * 10
    assert len(asked_for) == 1


def test_where_a_ledger_here_cannot_be_read_no_grant_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, card = world["ada"], stranger(world, "dan", "dan")
    grant = Grant(card=card, role=Role.WRITER).to_payload()
    put(ada, world.store("ada"), [Draft(thing="members", payload=grant, time_us=1, action=2)])
    brought(world)
    assert ("dan", "writer", card.fingerprint) in inside(world).ledgers[0].grants

    def _busy(*_: object) -> None:
        raise BusyError("x.db is busy: another pannier is writing; try again")

    monkeypatch.setattr("pannier.node.Node.ledgers", _busy)
    found = inside(world)
    assert (found.problem.split(":")[0], found.ledgers) == ("x.db is busy", ())


# -- refusing -------------------------------------------------------------------------------------


def test_what_is_refused_goes_to_quarantine_and_its_sender_hears_why(world: World) -> None:
    brought(world)
    (number,) = asked(world)
    report = said_no(world, "wrong field")
    assert report.outcomes[number] is Outcome.REFUSED
    (bad,) = world["bea"].spool.quarantine.list()
    assert bad.bundle_id == number
    assert "at review: wrong field" in bad.reason
    assert (world.has("bea"), world["bea"].spool.held.names(), asked(world)) == (False, [], [])
    world.exchange("bea")
    notes = world.exchange("ada").report.notes
    assert f"bea refused bundle {number}: at review: wrong field" in notes


def test_a_refusal_that_was_cut_short_is_no_problem_of_the_next_exchange(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought(world)
    (number,) = asked(world)
    with monkeypatch.context() as patched:
        patched.setattr("spool.quarantine.Quarantine.put", _cut_short)
        with pytest.raises(KeyboardInterrupt):
            said_no(world)
    done = world.exchange("bea")
    assert done.problems == []
    assert done.report.outcomes[number] is Outcome.REFUSED
    assert f"bundle {number} went to quarantine, as you decided: at review" in done.report.notes
    assert (world["bea"].spool.held.names(), asked(world)) == ([], [])
    assert [one.bundle_id for one in world["bea"].spool.quarantine.list()] == [number]


def _cut_short(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_refusal_does_not_lock_out_what_the_refuser_says_itself(world: World) -> None:
    """It opened what it refuses: the key that both share is not lost."""
    world.configure("bea", "")
    world.rounds(("ada", "bea"), 2)
    world.configure("bea", ASKS)
    world.put("ada", "well", 2)
    world.put("bea", "pump", 1)
    brought(world)
    assert said_no(world).outcomes
    world.exchange("bea")
    done = world.exchange("ada")
    assert done.problems == []
    assert "pump" in things(world.store("ada"))


def test_the_same_content_in_another_bundle_is_refused_quietly(world: World) -> None:
    brought(world)
    said_no(world)
    world.exchange("bea")
    report = brought(world)  # ada made it anew: bea lacks it
    assert report.count(Outcome.SEEN) == 1
    assert (report.reasons, asked(world), world.has("bea")) == ({}, [], False)
    assert len(world["bea"].spool.quarantine.list()) == 1
    world.exchange("bea")
    notes = world.exchange("ada").report.notes
    assert any("it was refused before" in note for note in notes)


def test_a_refused_bundle_that_comes_again_is_refused_quietly(world: World) -> None:
    brought(world)
    copies = tree(world.stick())
    said_no(world)
    world["bea"].db.run("DELETE FROM seen")
    for name, data in copies.items():
        (world.stick("old") / name).parent.mkdir(parents=True, exist_ok=True)
        (world.stick("old") / name).write_bytes(data)
    report = world.exchange("bea", "old").report
    assert set(report.outcomes.values()) == {Outcome.SEEN}
    assert (asked(world), world.has("bea")) == ([], False)


def test_decisions_are_kept(world: World) -> None:
    brought(world)
    (first,) = asked(world)
    said_no(world, "why not")
    world.put("ada", "well", 2)
    world.exchange("bea")
    brought(world)
    (second,) = asked(world)
    said_yes(world)
    found = decisions.decisions(world["bea"].db)
    assert [(one.bundle, one.sender, one.verdict) for one in found] == [
        (first, "ada", "refused"),
        (second, "ada", "accepted"),
    ]
    assert found[0].reason == "at review: why not"
    assert "log (new): " in found[0].summary
    assert ", 2 grants" in found[0].summary


@pytest.mark.parametrize("why", ["two\nlines", "x" * 201, "\u202e"])
def test_a_reason_is_one_line(world: World, why: str) -> None:
    brought(world)
    with pytest.raises(UsageError, match="one line"):
        said_no(world, why)
    assert len(asked(world)) == 1


def test_bundles_are_named_by_the_start_of_their_ids(world: World) -> None:
    brought(world)
    (number,) = asked(world)
    bea = world["bea"]
    assert [one.bundle_id for one in find(bea, [number[:4], number.upper()])] == [number]
    for wrong in (number[:3], "", "zzzz", number + "0"):
        with pytest.raises(UsageError, match="see `pannier review list`"):
            find(bea, [wrong])


# -- nothing opens the gate but a person ----------------------------------------------------------


def test_what_is_malformed_is_refused_and_not_asked_about(world: World) -> None:
    ada, bea = world["ada"], world["bea"]
    leave(world, "ada", "bea", sealed_by(ada, bea, [raw_section(LogSection.TYPE, 0, b"\x00")]))
    report = world.exchange("bea").report
    assert set(report.outcomes.values()) == {Outcome.REFUSED}
    assert asked(world) == []


def test_losing_node_db_lets_nothing_in(world: World) -> None:
    world.configure("bea", "[medium.'*']\nimport = 'review'\n")
    brought(world)
    assert len(asked(world)) == 1
    world.forget("bea")
    world.configure("bea", "")  # and with it, which medium had brought it
    world.exchange("bea", "empty")
    assert (world.has("bea"), len(asked(world))) == (False, 1)
    assert said_yes(world).entries == {("log", "ada"): written(world)}


def test_a_crash_between_holding_and_noting_lets_nothing_in(world: World) -> None:
    brought(world)
    world["bea"].db.run("DELETE FROM waiting")
    world.exchange("bea", "empty")
    assert (world.has("bea"), len(asked(world))) == (False, 1)


def test_what_waits_for_review_and_comes_another_way_still_waits(
    world: World, tmp_path: Path
) -> None:
    world.configure("bea", "[medium.BLUE]\nimport = 'review'\n")
    _exchange_labelled(world, "ada")
    assert set(_exchange_labelled(world, "bea").outcomes.values()) == {Outcome.REVIEW}
    pack(world["ada"], world["ada"].peer_named("bea"), tmp_path / "x", mtu=None, repair_percent=0)
    for _ in range(2):
        unpack(world["bea"], [tmp_path / "x"])
        assert (world.has("bea"), len(asked(world))) == (False, 1)
        world.forget("bea")  # and so, that it is here


def test_what_expires_while_it_waits_is_sent_again(world: World) -> None:
    world["ada"].db.hear(world["bea"].card.node_id, world.clock())
    brought(world)
    (number,) = asked(world)
    world.clock.pass_days(400)
    for sender in ("ada", "cyd"):
        world["bea"].db.hear(world[sender].card.node_id, world.clock())
    world.exchange("bea", "empty")
    assert asked(world) == []
    world["ada"].db.hear(world["bea"].card.node_id, world.clock())
    brought(world)
    assert len(asked(world)) == 1
    assert number not in asked(world)


@settings(max_examples=5)
@given(
    st.lists(
        st.sampled_from(["put", "ada", "bea", "cyd", "accept", "refuse", "forget"]),
        min_size=4,
        max_size=12,
    )
)
def test_only_accepting_changes_a_ledger(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    with World(tmp_path_factory.mktemp("world"), ("ada", "bea", "cyd")) as world:
        world.configure("bea", "[medium.'*']\nimport = 'review'\n")
        world.found("ada", "bea", "cyd")
        for number, act in enumerate(["ada", "bea", *acts]):
            before = held_entries(world)
            if act == "put":
                world.put("ada", "well", number)
            elif act == "forget":
                world.forget("bea")
            elif act == "refuse":
                said_no(world)
            elif act == "accept":
                said_yes(world, *asked(world))
                continue
            else:
                world.exchange(act)
            assert held_entries(world) == before, act
        for _ in range(3):
            world.put("ada", "well", "last")  # what was refused comes with something new
            world.rounds(["ada", "bea"], 1)
            said_yes(world, *asked(world))
        world.rounds(["bea", "ada", "bea"], 1)
        said_yes(world, *asked(world))
        assert_equal(world, ["ada", "bea"])


# -- rules ----------------------------------------------------------------------------------------


def _exchange_labelled(world: World, name: str) -> Report:
    return exchange_medium(world[name], world.stick("blue"), label="BLUE").report


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("", False),
        ("[medium.BLUE]\nimport = 'review'", True),
        ("[medium.RED]\nimport = 'review'", False),
        ("[medium.{id}]\nimport = 'review'", True),
        ("[medium.'*']\nimport = 'review'", True),
        ("[medium.'*']\nimport = 'review'\n[medium.BLUE]\nimport = 'direct'", False),
        ("[medium.BLUE]\nimport = 'direct'\n[medium.{id}]\nimport = 'review'", True),
        ("[medium.BLUE]\nimport = 'direct'\n[peer.ada]\nimport = 'review'", True),
        ("[peer.cyd]\nimport = 'review'", False),
    ],
)
def test_a_rule_is_found_by_id_then_by_label_then_for_any(
    world: World, text: str, asks: bool
) -> None:
    medium = world.exchange("ada", "blue").medium_id
    world["bea"].db.note_medium(medium, "BLUE", "/media/blue", 1)
    world.configure("bea", text.format(id=medium))
    bea = world["bea"]
    assert must_ask(bea, bea.peer_named("ada"), [medium]) is asks
    assert must_ask(bea, bea.peer_named("ada"), ["unpack", medium]) is asks or "*" in text


def test_one_who_must_be_asked_about_cannot_hide_in_a_group(world: World) -> None:
    world.configure("bea", "")
    world.rounds(["ada", "bea"], 1)
    bea = world["bea"]
    ledger_id = world.store("bea").ledger_id
    group = Group(node_id="0" * 16, name="a member of log", ledger_id=ledger_id)
    assert not must_ask(bea, group, [])
    world.configure("bea", "[peer.cyd]\nimport = 'review'")
    assert must_ask(world["bea"], group, [])


def test_a_bundle_for_a_group_waits_and_is_said_to_be_of_unknown_origin(tmp_path: Path) -> None:
    names = ("ada", "bea", "cyd")
    made = make_group(tmp_path / "made", "ada", [(name, Role.WRITER) for name in names[1:]])
    with copy_group(made, tmp_path / "copy", names) as world:
        world.configure("bea", "[medium.'*']\nimport = 'review'\n")
        world.put("ada", "well", 1)
        before = held_entries(world)
        assert brought(world).count(Outcome.REVIEW) == 1
        assert held_entries(world) == before
        found = inside(world)
        assert (found.is_proven, found.problem) == (False, "")
        assert found.waiting.sender == "a member of log"
        assert [one.entries for one in found.ledgers[0].authors.values()] == [1]
        assert said_yes(world).entries == {("log", "ada"): 1}
        world.put("ada", "well", 2)
        brought(world)
        before = held_entries(world)
        assert said_no(world, "no").count(Outcome.REFUSED) == 1
        assert (held_entries(world), asked(world)) == (before, [])


def test_every_section_counts_in_what_was_decided(world: World) -> None:
    """The same entries with another one, or in other pieces, are another content."""
    ada, bea, store = world["ada"], world["bea"], world.store("ada")
    sections = [own_entries(ada, store, 0, 2), own_entries(ada, store, 2)]
    for number, chosen in enumerate([sections, sections[:1], sections[1:], sections]):
        leave(world, "ada", "bea", sealed_by(ada, bea, chosen), f"stick {number}")
        world.exchange("bea", f"stick {number}")
    contents = [one.content for one in waiting(bea)]
    assert (len(contents), len(set(contents))) == (4, 3)
