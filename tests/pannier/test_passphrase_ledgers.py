"""Nodes that know a name and a passphrase, and nothing of each other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.algorithm import Algorithm
from ledger.append import Author, Draft, append, open_incarnation
from ledger.card import Card
from ledger.close import close_payload
from ledger.data import payload_from_value
from ledger.entry import MEMBERS_THING, Action
from ledger.facts import Grant, Revocation
from ledger.genesis import Genesis, Term
from ledger.hpke import can_seal_for
from ledger.keys import KeyStretch
from ledger.log import LogName, log_origin
from ledger.members import Role, members
from ledger.passphrase import PassphraseLedger
from ledger.signing import Signer
from ledger.store import Store
from pannier import passphrase_ledgers, unreadable
from pannier.backup import backup, restore
from pannier.errors import UsageError
from pannier.home import remove_peer
from pannier.import_report import Outcome
from pannier.ledgers import put
from pannier.out_bundle import OutBundle
from pannier.passphrase_ledgers import hellos, join, meet_members
from tests.ledger.world import keys_of
from tests.sim.world import DAY_US, World, assert_equal, fragments, tree

CHEAP = KeyStretch(passes=1, lanes=1, memory_kib=8)
NAME, WORDS = "harbour", "dune acorn pilot velvet"
THREE = ("ada", "bea", "cyd")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three who know a passphrase, and nobody's card."""
    with World(tmp_path, ()) as world:
        for name in (*THREE, "eve"):
            world.add(name)
        for name in THREE:
            enter(world, name)
        yield world


def enter(world: World, name: str, words: str = WORDS) -> Store:
    return join(world[name], NAME, words, stretch=CHEAP)


def names_of_peers(world: World, name: str) -> list[str]:
    return sorted(peer.name for peer in world[name].peers.values())


def test_three_who_exchanged_no_card_sync_over_a_stick(world: World) -> None:
    for name in THREE:
        assert names_of_peers(world, name) == []
        world.put(name, f"well of {name}", 1, ledger=NAME)
    world.rounds(THREE, 3)
    found = assert_equal(world, THREE, NAME)
    assert len(found["heads"]) == 3  # type: ignore[arg-type]
    assert names_of_peers(world, "ada") == ["bea", "cyd"]
    assert names_of_peers(world, "cyd") == ["ada", "bea"]
    world.reopen("ada")
    assert names_of_peers(world, "ada") == ["bea", "cyd"], "they are kept"


def test_what_is_for_all_lies_on_the_stick_once(world: World) -> None:
    world.rounds(THREE, 3)
    world.put("ada", "photo", world["ada"].entropy(20_000).hex(), ledger=NAME)
    world.exchange("ada", "fresh")
    sizes = [path.stat().st_size for path in fragments(world.stick("fresh"))]
    assert sum(one > 15_000 for one in sizes) == 1


def test_who_guesses_wrong_learns_nothing(world: World) -> None:
    enter(world, "eve", "dune acorn pilot velour")
    world.put("ada", "well", 1, ledger=NAME)
    world.rounds(THREE, 2)
    eve = world["eve"]
    before = tree(world.stick() / "pannier")
    done = world.exchange("eve")
    assert done.collected.others == len(fragments(world.stick())) - 1, "all but her own hello"
    assert done.report.outcomes == {}
    assert names_of_peers(world, "eve") == []
    assert len(list(eve.ledgers())) == 1
    assert len(members(world.store("eve", NAME))) == 2, "the key of her passphrase, and she"
    after = tree(world.stick() / "pannier")
    changed = {path for path, data in before.items() if after.get(path) != data}
    assert changed <= {"README.txt"}, "she takes nothing off"
    world.rounds(THREE, 1)
    assert all("eve" not in names_of_peers(world, name) for name in THREE)


def test_nobody_without_the_passphrase_finds_the_name_on_a_stick(world: World) -> None:
    world.rounds(THREE, 2)
    for path, data in tree(world.stick()).items():
        assert NAME.encode() not in data, path
        for name in THREE:
            assert world[name].card.author not in data, path


def test_a_hello_lies_on_every_medium_once_and_stays(world: World) -> None:
    world.exchange("ada", "one")
    (hello,) = hellos(world["ada"], [])
    for stick in ("one", "two", "one"):
        world.exchange("ada", stick)
        world.exchange("bea", stick)
        on_it = [path.name for path in fragments(world.stick(stick))]
        assert sum(hello.bundle_id in name for name in on_it) == 1
    assert hellos(world["ada"], []) == [world["ada"].db.bundle(hello.bundle_id)]


def test_a_hello_is_read_once(world: World) -> None:
    world.exchange("ada")
    (hello,) = hellos(world["ada"], [])
    first = world.exchange("bea").report
    assert first.outcomes[hello.bundle_id] is Outcome.MERGED
    assert "met ada through the ledger harbour" in first.notes
    assert hello.bundle_id not in world.exchange("bea").report.outcomes


def test_a_lost_hello_is_made_anew(world: World) -> None:
    world.exchange("ada")
    (hello,) = hellos(world["ada"], [])
    world.forget("ada")
    (again,) = hellos(world["ada"], [])
    assert again.bundle_id != hello.bundle_id
    world.exchange("ada", "other")
    assert world.exchange("bea", "other").report.outcomes[again.bundle_id] is Outcome.MERGED


def test_an_expired_hello_is_made_anew(world: World) -> None:
    world.rounds(THREE, 3)
    (hello,) = hellos(world["ada"], [])
    world["ada"].db.run("UPDATE bundle SET expiry = 0 WHERE id = ?", hello.bundle_id)
    (again,) = hellos(world["ada"], [])
    assert again.bundle_id != hello.bundle_id
    assert again.expiry_days > 0


def test_joining_twice_says_nothing_new(world: World) -> None:
    ada = world["ada"]
    store = enter(world, "ada")
    sizes = [log.size for log in store.logs()]
    assert [log.size for log in enter(world, "ada").logs()] == sizes == [1]
    with pytest.raises(UsageError, match="not by this passphrase"):
        enter(world, "ada", "another")
    assert len(list(ada.ledgers())) == 1


def test_who_lost_everything_but_its_keys_joins_again(world: World) -> None:
    world.put("ada", "well", 1, ledger=NAME)
    world.rounds(THREE, 3)
    world.reopen("ada")
    for path in (*world.home("ada").ledgers.glob("*"), *world.home("ada").cards.glob("*")):
        path.unlink()
    world.forget("ada")
    enter(world, "ada")
    world.rounds(THREE, 3, "fresh")
    world.put("bea", "well", 2, ledger=NAME)
    world.rounds(THREE, 3, "fresh")
    assert_equal(world, THREE, NAME)


def test_the_network_key_stands_on_no_disk(world: World) -> None:
    found = PassphraseLedger.derive(NAME, WORDS, CHEAP)
    world.rounds(THREE, 2)
    world.reopen("ada")
    secrets = (found.network_key, found.admin.private_bytes_raw(), WORDS.encode())
    files = [path for path in world.home("ada").path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    for path in files:
        data = path.read_bytes()
        for secret in secrets:
            assert secret not in data, path
            assert secret.hex().encode() not in data, path
    assert world["ada"].epochs.of(world.store("ada", NAME)).sealing is not None


def test_a_node_that_lacks_the_key_says_no_hello(world: World) -> None:
    """As one that took the ledger from the backup of another node."""
    store = world.store("ada", NAME)
    with store.transaction():
        store.run("DELETE FROM meta WHERE key = 'network key'")
    assert hellos(world["ada"], []) == []
    assert world["ada"].groups.keys() == []
    enter(world, "ada")
    assert len(hellos(world["ada"], [])) == 1


def test_a_backup_that_another_node_takes_has_the_key_but_no_membership(
    world: World, tmp_path: Path
) -> None:
    kept = tmp_path / "harbour.backup"
    backup(world["ada"], world.store("ada", NAME), kept, "of the backup")
    restore(world["eve"], kept, "of the backup")
    assert world["eve"].groups.keys() == world["ada"].groups.keys()
    assert hellos(world["eve"], []) == []
    enter(world, "eve")
    world.put("eve", "well", 1, ledger=NAME)
    names = (*THREE, "eve")
    world.rounds(names, 3)
    assert_equal(world, names, NAME)


def test_peers_of_one_name_get_numbers(world: World) -> None:
    admit(world, "ada", *made_up("Bea", "bea", 'b|"ad'))
    world.rounds(THREE, 2)
    known = names_of_peers(world, "cyd")
    assert {"ada", "bea"} <= {name.casefold() for name in known}
    assert len(known) == 5
    assert len({name.casefold() for name in known}) == 5


def test_made_up_members_do_not_fill_the_house(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passphrase_ledgers, "_MOST_MEMBERS", 5)
    admit(world, "ada", *made_up(*(f"nobody {number}" for number in range(9))))
    world.exchange("ada")
    world.exchange("bea")
    assert len(world["bea"].peers) <= 5


def test_made_up_members_who_come_in_waves_do_not_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passphrase_ledgers, "_MOST_MEMBERS", 5)
    for wave in range(4):
        admit(world, "ada", *made_up(*(f"nobody {wave} {number}" for number in range(4))))
        meet_members(world["ada"], [])
        assert len(world["ada"].peers) <= 5


def test_a_peer_who_makes_up_such_a_ledger_presents_nobody(tmp_path: Path) -> None:
    """Only who said the passphrase of a ledger takes its members for peers."""
    with World(tmp_path) as world:
        ada, bea = world["ada"], world["bea"].card
        terms = frozenset({Term.PASSPHRASE})
        genesis = Genesis(name=NAME, admins=(ada.card,), time_us=0, nonce=bytes(16), terms=terms)
        store = ada.make_ledger(genesis)
        put(ada, store, [granting(world, card) for card in (bea, *made_up("pat", "quin"))])
        world.rounds(("ada", "bea"), 2)
        assert bea.author in members(world.store("bea", NAME))
        assert names_of_peers(world, "bea") == ["ada"]


def test_a_met_peer_gets_no_name_of_which_the_configuration_says_something(world: World) -> None:
    world.configure("cyd", "[peer.Ada]\nclear = true\n")
    world.rounds(THREE, 2)
    assert names_of_peers(world, "cyd") == ["ada-2", "bea"]


def test_nobody_who_knows_the_passphrase_removes_another(world: World) -> None:
    world.rounds(THREE, 2)
    before = dict(members(world.store("cyd", NAME)))
    found = PassphraseLedger.derive(NAME, WORDS, CHEAP)
    for author in (world["bea"].card.author, found.genesis.admins[0].author):
        revocation = Revocation(author=author, sizes={}).to_payload()
        write_as_admin(world, "ada", [saying(world, Action.REVOKE, revocation)])
    world.put("bea", "well", 1, ledger=NAME)
    world.rounds(THREE, 2)
    assert dict(members(world.store("cyd", NAME))) == before
    assert_equal(world, THREE, NAME)


def test_nobody_who_knows_the_passphrase_ends_the_log_of_another(world: World) -> None:
    world.rounds(THREE, 2)
    store, found = world.store("ada", NAME), PassphraseLedger.derive(NAME, WORDS, CHEAP)
    signer, before = Signer(found.admin), dict(members(store))
    logs = [one.name for one in store.logs() if one.name.author == signer.verifier.author]
    admin = Author(signer=signer, entropy=world["ada"].entropy)
    for log in logs:
        other = admin.sign_checkpoint(log_origin(store.ledger_id, log), 1, bytes(32))
        open_incarnation(store, admin)
        write_as_admin(world, "ada", [saying(world, Action.CLOSE, close_payload(log, other))])
    world.rounds(THREE, 2)
    assert dict(members(world.store("cyd", NAME))) == before
    assert all(one.close is None for one in world.store("cyd", NAME).logs())


def test_made_up_members_tell_no_time_where_somebody_is_known(world: World) -> None:
    world.acquaint(("bea", "cyd"))
    cyd = world["cyd"]
    admit(world, "cyd", *made_up("pat", "quin", "rob"))
    meet_members(cyd, [])
    world.rounds(("bea", "cyd"), 1)
    day = cyd.time.past_day()
    liars = [one.node_id for one in cyd.peers.values() if one.name != "bea"]
    assert len(liars) >= 3
    for peer in liars:
        cyd.db.hear(peer, world.clock() + 9999 * DAY_US)
    world.skew_us["cyd"] = 9999 * DAY_US
    assert cyd.time.past_day() == day
    assert cyd.time.past_day(liars[0]) > day, "of what it sent itself it may say so"
    for peer in liars:
        cyd.db.vouch_for(peer)
    assert cyd.time.past_day() > day


def test_a_made_up_card_without_a_usable_key_stops_nobody(world: World) -> None:
    keys = ((int(Algorithm.X25519), bytes(32)),)
    admit(world, "ada", Card.sign(keys_of("mallory").signing, name="mallory", keys=keys))
    world.put("ada", "well", 1, ledger=NAME)
    world.rounds(THREE, 3)
    assert_equal(world, THREE, NAME)
    assert all("mallory" not in names_of_peers(world, name) for name in THREE)


def test_a_peer_that_was_removed_is_met_again(world: World) -> None:
    """There is no way to remove anybody but a new name: said in docs/trust.md."""
    world.rounds(THREE, 2)
    remove_peer(world.home("ada"), "bea")
    world.reopen("ada")
    notes: list[str] = []
    meet_members(world["ada"], notes)
    assert notes == ["met bea through the ledger harbour"]


def test_nobody_who_knows_the_passphrase_makes_the_hello_of_another_longer(world: World) -> None:
    world.rounds(THREE, 2)
    before = hellos(world["bea"], [])
    extend(world, "ada", own_log(world, "bea"), 3, 100_000)
    world.rounds(THREE, 2)
    assert world.store("bea", NAME).log(own_log(world, "bea")).size == 1 + 3
    assert hellos(world["bea"], []) == before
    world.forget("bea")
    (again,) = hellos(world["bea"], [])
    assert again.size_bytes < 2000


def test_of_several_grants_the_one_that_stands_first_goes(world: World) -> None:
    """Somebody granted bea again, in the midst of much else."""
    much = [saying_at_length(world, 100_000), granting(world, world["bea"].card)]
    write_as_admin(world, "ada", much)
    world.rounds(THREE, 2)
    assert len(passphrase_ledgers._own_grants(world["bea"], world.store("bea", NAME))) == 2
    world.forget("bea")
    (hello,) = hellos(world["bea"], [])
    assert hello.size_bytes < 2000


def test_where_only_long_logs_grant_a_node_it_says_so_and_may_join_again(world: World) -> None:
    world.rounds(THREE, 2)
    extend(world, "ada", own_log(world, "bea"), 1, 100_000)
    world.rounds(THREE, 2)
    bea, store = world["bea"], world.store("bea", NAME)
    with store.transaction():  # as with a bea that lost all, and got it back from others
        store.run(
            "DELETE FROM checkpoint WHERE size = 1 AND log = ?",
            store.log(own_log(world, "bea")).row,
        )
    problems: list[str] = []
    assert hellos(bea, problems) == []
    assert len(problems) == 1
    assert "no hello was made for harbour" in problems[0]
    assert 'with "pannier ledger new harbour --passphrase"' in problems[0]
    world.put("bea", "well", 1, ledger=NAME)
    assert world.exchange("bea").problems == problems
    assert for_all(world, "bea"), "all else goes on"
    enter(world, "bea")
    (hello,) = hellos(bea, [])
    assert hello.size_bytes < 2000


def test_a_bug_in_hellos_keeps_nothing_else_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> list[OutBundle]:
        raise KeyError(137)

    world.rounds(THREE, 3)
    world.put("ada", "well", 1, ledger=NAME)
    monkeypatch.setattr("pannier.exchange.hellos", failing)
    done = world.exchange("ada")
    assert done.problems == ["no hello was made: a bug in pannier (KeyError: 137)"]
    assert for_all(world, "ada")


def test_a_hello_of_which_no_signature_is_left_is_damage_of_its_ledger(world: World) -> None:
    world.rounds(THREE, 3)
    world.put("ada", "well", 1, ledger=NAME)
    path = world.store("ada", NAME).path
    world.reopen("ada")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM checkpoint")
    assert world.exchange("ada", "fresh").problems == []
    (said,) = unreadable.problems(world["ada"])
    assert f"{path} is damaged" in said


def test_no_more_made_up_members_are_looked_at_than_there_is_room_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Card] = []

    def noted(card: Card) -> bool:
        looked.append(card)
        return can_seal_for(card)

    monkeypatch.setattr(passphrase_ledgers, "_MOST_MEMBERS", 5)
    monkeypatch.setattr(passphrase_ledgers, "can_seal_for", noted)
    admit(world, "ada", *made_up(*(f"nobody {number}" for number in range(20))))
    meet_members(world["ada"], [])
    assert len(looked) == len(world["ada"].peers) == 5
    meet_members(world["ada"], [])
    assert len(looked) == 5, "there is no room for one more"


def for_all(world: World, name: str) -> list[OutBundle]:
    """The bundles for several at once that wait, without the hello."""
    node = world[name]
    queued = node.db.queued_bundles()
    return [one for one in queued if one.peer not in node.peers and not one.control]


def own_log(world: World, name: str) -> LogName:
    """The log in which somebody made itself a member."""
    store = world.store(name, NAME)
    return next(
        fact.log
        for fact in store.facts((Action.GRANT,))
        if isinstance(said := fact.says(), Grant) and said.card == world[name].card
    )


def extend(world: World, by: str, log: LogName, count: int, size_bytes: int) -> None:
    """Somebody who knows the passphrase writes on in the log by which another is a member."""
    store = world.store(by, NAME)
    before = store.meta("own incarnation")
    assert before is not None
    with store.transaction():
        store.set_meta("own incarnation", log.incarnation)
    write_as_admin(world, by, [saying_at_length(world, size_bytes) for _ in range(count)])
    with store.transaction():
        store.set_meta("own incarnation", before)


def saying_at_length(world: World, size_bytes: int) -> Draft:
    payload = payload_from_value(world["ada"].entropy(size_bytes // 2).hex())
    return Draft(thing="x", payload=payload, time_us=world.clock(), follows=())


def admit(world: World, by: str, *cards: Card) -> None:
    """Somebody who knows the passphrase grants cards that it made up."""
    write_as_admin(world, by, [granting(world, card) for card in cards])


def granting(world: World, card: Card) -> Draft:
    return saying(world, Action.GRANT, Grant(card=card, role=Role.WRITER).to_payload())


def saying(world: World, action: Action, payload: bytes) -> Draft:
    return Draft(thing=MEMBERS_THING, payload=payload, time_us=world.clock(), action=action)


def write_as_admin(world: World, by: str, drafts: list[Draft]) -> None:
    found = PassphraseLedger.derive(NAME, WORDS, CHEAP)
    admin = Author(signer=Signer(found.admin), entropy=world[by].entropy)
    for _ in append(world.store(by, NAME), admin, drafts):
        pass


def made_up(*names: str) -> list[Card]:
    return [replace(keys_of(f"{n} {name}"), name=name).card for n, name in enumerate(names)]
