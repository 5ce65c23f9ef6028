from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.merge
from ledger.append import Draft
from ledger.entries import Entries
from ledger.entry import Action, Entry
from ledger.errors import MalformedError, UnverifiedError
from ledger.facts import Grant
from ledger.log import MAX_BATCH_ENTRIES, LogName, LogStatus, Range, log_origin
from ledger.members import Role
from ledger.merge import Forked, Gap, Merged, NotGranted, is_held, merge, signed_after
from ledger.note import Checkpoint, sign_checkpoint
from ledger.records import cover_to_row
from ledger.seeds import Cover, root_cover, subcover
from ledger.store import Store
from tests.ledger.world import (
    NOW,
    REST_KEY,
    Site,
    World,
    carried,
    decoded,
    draft,
    dump,
    facts,
    faults,
    genesis_of,
    keys_of,
    lacked,
    payload,
    picture,
    redigested,
    send,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob") as made:
        yield made


@pytest.fixture
def ada(world: World) -> Site:
    """Somebody with a log of ten entries under four checkpoints: 3, 4, 8, 10."""
    site = world.sites[0]
    for first, end in ((0, 3), (3, 4), (4, 8), (8, 10)):
        site.write(*(draft(f"t{number % 4}", number) for number in range(first, end)))
    return site


@pytest.fixture
def bob(world: World) -> Site:
    return world.sites[1]


# -- what is taken ------------------------------------------------------------------------------


def test_a_range_is_taken_once(ada: Site, bob: Site) -> None:
    received = carried(ada.store, ada.log)
    assert merge(bob.store, received) == Merged(count=10)
    assert facts(bob.store) == facts(ada.store)
    assert picture(bob.store) == picture(ada.store)
    assert faults(bob.store) == []
    before = dump(bob.store)
    assert merge(bob.store, received) == Merged(count=0)
    assert dump(bob.store) == before


PIECES = [(0, 3), (3, 4), (4, 8), (8, 10)]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_ranges_come_in_any_order_and_early_ones_wait(
    ada: Site, bob: Site, order: tuple[int, ...]
) -> None:
    waiting = [PIECES[number] for number in order]
    gaps = 0
    while waiting:
        again = []
        for first, end in waiting:
            held, before = bob.store.log(ada.log).size, dump(bob.store)
            outcome = merge(bob.store, carried(ada.store, ada.log, first, end))
            if first > held:
                assert outcome == Gap(size=held)
                assert dump(bob.store) == before
                again.append((first, end))
                gaps += 1
            else:
                assert outcome == Merged(count=end - first)
        waiting = again
    assert (gaps == 0) == (order == (0, 1, 2, 3))
    assert facts(bob.store) == facts(ada.store)
    assert faults(bob.store) == []


@pytest.mark.parametrize("held", [0, 3, 4, 8, 10])
@pytest.mark.parametrize("end", [3, 4, 8, 10])
@pytest.mark.parametrize("first", [0, 1, 3, 5, 7])
def test_a_range_may_begin_and_end_anywhere(
    ada: Site, bob: Site, first: int, end: int, held: int
) -> None:
    if first >= end:
        return
    if held:
        merge(bob.store, carried(ada.store, ada.log, 0, held))
    outcome = merge(bob.store, carried(ada.store, ada.log, first, end))
    if first > held:
        assert outcome == Gap(size=held)
        return
    assert outcome == Merged(count=max(0, end - held))
    state = bob.store.log(ada.log)
    assert state.size == max(held, end)
    assert bob.store.entries(state, 0, 99) == ada.store.entries(
        ada.store.log(ada.log), 0, state.size
    )
    assert faults(bob.store) == []


@settings(max_examples=20)
@given(data=st.data())
def test_any_ranges_in_any_order_lead_to_the_same_log(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    with World.of(tmp_path_factory.mktemp("ranges"), "ada", "bob") as world:
        ada, bob = world.sites
        ends = []
        for count in data.draw(
            st.lists(st.sampled_from([1, 2, 5, 255, 256, 257]), min_size=1, max_size=5)
        ):
            state = ada.write(*(draft(f"t{number % 9}", number) for number in range(count)))
            ends.append(state.size)
        pieces = data.draw(
            st.lists(
                st.sampled_from(ends).flatmap(
                    lambda end: st.tuples(st.integers(0, end - 1), st.just(end))
                ),
                max_size=8,
            )
        )
        for first, end in pieces:
            merge(bob.store, carried(ada.store, ada.log, first, end))
            assert faults(bob.store) == []
        send(ada, bob)
        assert facts(bob.store) == facts(ada.store)
        assert bob.store.rows("SELECT level, position, hash FROM node ORDER BY 1, 2") == (
            ada.store.rows("SELECT level, position, hash FROM node ORDER BY 1, 2")
        )
        assert faults(bob.store) == []


def test_a_log_relayed_by_somebody_else_is_the_same_log(world: World, ada: Site, bob: Site) -> None:
    cy = world.join("cy", folder="cy")
    send(ada, bob)
    send(bob, cy)
    assert facts(cy.store) == facts(ada.store)
    assert picture(cy.store) == picture(ada.store)


# -- what is refused ----------------------------------------------------------------------------

Alter = Callable[[Range], Range]


def entries(change: Callable[[list[Entry]], list[Entry]]) -> Alter:
    """Return the change of a range by that of its entries, as one would see it who decodes it."""

    def alter(received: Range) -> Range:
        changed = redigested(received.first, change(received.entries.one_by_one()), received.cover)
        return replace(received, entries=Entries.of(changed))

    return alter


def last(**fields: object) -> Alter:
    def change(found: list[Entry]) -> list[Entry]:
        return [*found[:-1], found[-1]._replace(**fields)]  # type: ignore[arg-type]

    return entries(change)


def checkpoint(change: Callable[[Checkpoint], Checkpoint]) -> Alter:
    return lambda received: replace(received, checkpoint=change(received.checkpoint))


def resigned(
    name: str,
    *,
    ledger: str = "harbour",
    incarnation: bytes = b"",
    size: int = 0,
    root: bytes = b"",
) -> Alter:
    """Sign the range with the key of *name*, perhaps for something else than it is."""

    def alter(received: Range) -> Range:
        ledger_id = genesis_of("ada", "bob", name=ledger).ledger_id
        log, point = received.log, received.checkpoint
        signed = sign_checkpoint(
            keys_of(name).signer,
            log_origin(ledger_id, LogName(log.author, incarnation or log.incarnation)),
            size or point.size,
            root or point.root,
        )
        return replace(received, checkpoint=replace(point, signature=signed.signature))

    return alter


def with_root(received: Range) -> Range:
    signed = resigned("ada", root=bytes(32))(received).checkpoint
    return replace(received, checkpoint=replace(signed, root=bytes(32)))


FORGED: dict[str, Alter] = {
    "a bit of the signature": checkpoint(
        lambda one: replace(one, signature=bytes([one.signature[0] ^ 1]) + one.signature[1:])
    ),
    "signed by a member who is not the author": resigned("bob"),
    "signed for another ledger": resigned("ada", ledger="another"),
    "signed for another log": resigned("ada", incarnation=bytes(8)),
    "signed for another size": resigned("ada", size=9),
    "said to be another incarnation": lambda one: replace(
        one, log=one.log._replace(incarnation=bytes(8))
    ),
    "said to be another author": lambda one: replace(
        one, log=one.log._replace(author=keys_of("bob").author)
    ),
}
ALTERED: dict[str, Alter] = {
    "another payload": last(payload=payload("forged")),
    "another thing": last(thing="forged"),
    "another kind": last(kind="forged"),
    "another action": last(action=Action.DELETE),
    "another time": last(time_us=NOW + 1),
    "entries swapped": entries(lambda found: [*found[:-2], found[-1], found[-2]]),
    "an entry twice": entries(lambda found: [*found[:-1], found[-2]]),
    "other seeds": lambda one: decoded(
        one.log, one.first, one.entries.one_by_one(), root_cover(bytes(16)), one.checkpoint
    ),
    "another root, signed": with_root,
}
ODD: dict[str, Alter] = {
    "cut at the end": entries(lambda found: found[:-1]),
    "cut at the beginning": entries(lambda found: found[1:]),
    "an entry more": entries(lambda found: [*found, found[-1]]),
    "no entries": lambda one: replace(one, entries=Entries.of([]), first=one.checkpoint.size),
    "a checkpoint of another size": checkpoint(lambda one: replace(one, size=one.size + 1)),
    "a size beyond 2^32": lambda one: replace(
        one,
        first=2**32 + 1 - one.entries.count,
        checkpoint=replace(one.checkpoint, size=2**32 + 1),
    ),
    "a thing too long": last(thing="t" * 256),
    "no thing": last(thing=""),
    "a control character": last(kind="\n"),
    "a time beyond 64 bits": last(time_us=2**63),
    "an action beyond 32 bits": last(action=2**32),
    "no payload": last(payload=None),
    "no payload, and its digest made of nothing": last(payload=None, digest=bytes(32)),
    "a payload too long": last(payload=bytes((1 << 20) + 1)),
}


@pytest.fixture
def untouched(bob: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens: no transaction is begun, and the file stays as it is."""
    before = dump(bob.store)

    def begun(_: Store) -> None:
        raise AssertionError("a transaction, before everything was checked")

    monkeypatch.setattr(Store, "transaction", begun)
    yield
    assert dump(bob.store) == before


@pytest.mark.parametrize("what", [*FORGED, *ALTERED])
def test_what_its_author_did_not_sign_is_refused(
    ada: Site, bob: Site, untouched: None, what: str
) -> None:
    received = (FORGED | ALTERED)[what](carried(ada.store, ada.log))
    with pytest.raises(UnverifiedError):
        merge(bob.store, received)


@pytest.mark.parametrize("what", ODD)
def test_what_is_out_of_bounds_is_refused(ada: Site, bob: Site, untouched: None, what: str) -> None:
    with pytest.raises(MalformedError):
        merge(bob.store, ODD[what](carried(ada.store, ada.log)))


@pytest.mark.parametrize("what", [*FORGED, *ALTERED, *ODD])
@pytest.mark.parametrize("first", [4, 8])
def test_nor_is_it_taken_where_it_would_go_on_with_what_is_here(
    ada: Site, bob: Site, monkeypatch: pytest.MonkeyPatch, what: str, first: int
) -> None:
    merge(bob.store, carried(ada.store, ada.log, 0, 8))
    state, before = bob.store.log(ada.log), dump(bob.store)
    received = (FORGED | ALTERED | ODD)[what](carried(ada.store, ada.log, first))
    if what in ALTERED:
        assert merge(bob.store, received) == Forked(fork=None, status=LogStatus.OPEN)
    elif what.startswith("said to be another"):
        with pytest.raises(UnverifiedError):
            merge(bob.store, received)
    else:
        with pytest.raises((UnverifiedError, MalformedError)):
            merge(bob.store, received)
    assert dump(bob.store) == before
    assert merge(bob.store, carried(ada.store, ada.log, first)) == Merged(count=2)
    assert state.size == 8


def test_more_than_65536_entries_are_not_looked_at(ada: Site, bob: Site, untouched: None) -> None:
    received = carried(ada.store, ada.log)
    many = received.entries.one_by_one()[:1] * (MAX_BATCH_ENTRIES + 1)
    point = replace(received.checkpoint, size=len(many))
    with pytest.raises(MalformedError, match="65537 entries"):
        merge(bob.store, replace(received, entries=Entries.of(many), checkpoint=point))


def test_more_than_8_mib_under_one_checkpoint_are_refused(
    ada: Site, bob: Site, untouched: None
) -> None:
    received = carried(ada.store, ada.log)
    many = [received.entries.one_by_one()[0]._replace(payload=bytes(1 << 20))] * 8
    point = replace(received.checkpoint, size=len(many))
    signed = resigned("ada")(replace(received, entries=Entries.of(many), checkpoint=point))
    with pytest.raises(MalformedError, match="over 8388608 bytes"):
        merge(bob.store, signed)


def test_the_largest_entries_that_fit_are_taken(ada: Site, bob: Site) -> None:
    for _ in range(2):
        ada.write(*(draft("t" * 255, bytes((1 << 20) - 500), kind="k" * 63) for _ in range(8)))
    for received in list(lacked(ada.store, bob.store)):
        assert isinstance(merge(bob.store, received), Merged)
    assert facts(bob.store) == facts(ada.store)


# -- members --------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path / "shared", "ada", "bob", "cy", admins=["ada"]) as made:
        yield made


def write_as_if_member(site: Site, world: World) -> Range:
    """Let *site* write in a copy of the ledger in which it believes to be an admin."""
    folder = world.folder / f"{site.keys.name} believes"
    other = Site.make(folder, site.keys.name, genesis_of("ada", site.keys.name))
    other.store.ledger_id = world.genesis.ledger_id
    other.write(draft("t", "forged"))
    other.grant_payload(Grant(card=site.keys.card, role=Role.ADMIN).to_payload())
    received = carried(other.store, other.log)
    other.store.close()
    return received


def test_entries_of_those_who_may_not_write_never_enter(shared: World) -> None:
    ada, bob, cy = shared.sites
    forged = write_as_if_member(cy, shared)
    before = dump(bob.store)
    assert merge(bob.store, forged) == NotGranted(author=cy.author.public)
    assert dump(bob.store) == before
    ada.grant("cy", Role.READER)
    send(ada, bob)
    before = dump(bob.store)
    assert merge(bob.store, forged) == NotGranted(author=cy.author.public)
    assert dump(bob.store) == before
    ada.grant("cy", Role.WRITER)
    send(ada, bob)
    assert merge(bob.store, forged) == Merged(count=2)
    assert bob.values("t") == ["forged"]
    assert faults(bob.store) == []


def test_a_grant_by_a_writer_opens_nothing(shared: World) -> None:
    ada, bob, cy = shared.sites
    ada.grant("bob", Role.WRITER)
    send(ada, bob)
    bob.grant("cy", Role.WRITER)
    send(bob, ada)
    forged = write_as_if_member(cy, shared)
    assert merge(ada.store, forged) == NotGranted(author=cy.author.public)
    ada.grant("bob", Role.ADMIN)
    assert merge(ada.store, forged) == Merged(count=2)


def test_a_log_waits_for_the_grant_that_is_still_on_its_way(shared: World) -> None:
    ada, bob, cy = shared.sites
    ada.grant("bob", Role.ADMIN)
    send(ada, bob)
    bob.grant("cy", Role.WRITER)
    send(bob, cy)
    cy.put("t", 1)
    dee = shared.join("dee")
    logs = [carried(site.store, site.log) for site in (cy, bob, ada)]
    assert [merge(dee.store, one) for one in logs] == [
        NotGranted(author=cy.author.public),
        NotGranted(author=bob.author.public),
        Merged(count=1),
    ]
    assert [merge(dee.store, one) for one in logs] == [
        NotGranted(author=cy.author.public),
        Merged(count=1),
        Merged(count=0),
    ]
    assert [merge(dee.store, one) for one in logs] == [Merged(count=n) for n in (1, 0, 0)]
    assert dee.values("t") == [1]


# -- seeds of payloads ----------------------------------------------------------------------------

TREE, OTHER_TREE = root_cover(bytes(16)), root_cover(bytes([1] * 16))


def test_seeds_need_not_come_again(ada: Site, bob: Site) -> None:
    whole = ada.store.log(ada.log).cover
    merge(bob.store, carried(ada.store, ada.log, 0, 4))
    assert bob.store.log(ada.log).cover == whole
    later = replace(carried(ada.store, ada.log, 4), cover=())
    assert isinstance(merge(bob.store, later), Merged)
    assert bob.store.log(ada.log).cover == whole
    assert faults(bob.store) == []


@pytest.mark.parametrize("end", [3, 4, 10])
def test_seeds_of_a_part_are_refused_even_if_they_are_right(
    ada: Site, bob: Site, untouched: None, end: int
) -> None:
    """Or whoever says that it holds that part is sent the next one without seeds, in vain."""
    whole = ada.store.log(ada.log).cover
    some = replace(carried(ada.store, ada.log, 0, end), cover=subcover(whole, 0, end))
    with pytest.raises(MalformedError, match="do not give all"):
        merge(bob.store, some)


def test_who_signs_under_two_trees_is_read_up_to_there(world: World) -> None:
    mal, bob = world.sites
    for tree, numbers in ((TREE, range(4)), (OTHER_TREE, range(4, 8))):
        sign_under(mal, tree)
        for number in numbers:
            mal.put(f"t{number}", number)
    received = [
        replace(one, entries=Entries.of(redigested(one.first, one.entries.one_by_one(), tree)))
        for one, tree in (
            (replace(carried(mal.store, mal.log, 0, 4), cover=TREE), TREE),
            (replace(carried(mal.store, mal.log, 4, 8), cover=OTHER_TREE), OTHER_TREE),
        )
    ]
    assert merge(bob.store, received[0]) == Merged(count=4)
    before = dump(bob.store)
    with pytest.raises(MalformedError, match="not those of its beginning"):
        merge(bob.store, received[1])
    assert dump(bob.store) == before
    assert faults(bob.store) == []


def sign_under(site: Site, cover: Cover) -> None:
    """Have whatever a site writes from now on under other seeds, as nobody honest does."""
    with site.store.transaction():
        state = site.store.ensure_log(site.log)
        sealed = cover_to_row(state.name, cover, site.store.rest)
        site.store.run("UPDATE log SET cover = ? WHERE id = ?", sealed, state.row)


def test_an_action_that_nobody_knows_is_kept(ada: Site, bob: Site) -> None:
    ada.write(Draft(thing="t", payload=payload(1), time_us=NOW, action=7))
    assert merge(bob.store, carried(ada.store, ada.log)) == Merged(count=11)
    assert facts(bob.store) == facts(ada.store)


# -- the log as it is meanwhile -------------------------------------------------------------------


def test_what_another_process_merged_meanwhile_is_seen(
    ada: Site, bob: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = carried(ada.store, ada.log)
    real = ledger.merge._take

    def take(store: Store, state: object, *rest: object) -> object:
        if store.log(ada.log).size == 0:
            with Store.open(bob.store.path, REST_KEY) as other:
                merge_quietly(other, carried(ada.store, ada.log, 0, 4))
        return real(store, state, *rest)  # type: ignore[arg-type]

    def merge_quietly(store: Store, one: Range) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledger.merge, "_take", real)
            merge(store, one)

    monkeypatch.setattr(ledger.merge, "_take", take)
    assert merge(bob.store, received) == Merged(count=6)
    assert facts(bob.store) == facts(ada.store)
    assert faults(bob.store) == []


def test_the_log_of_nobody_is_not_granted(bob: Site, ada: Site, untouched: None) -> None:
    received = replace(carried(ada.store, ada.log), log=LogName(bytes(32), bytes(8)))
    assert merge(bob.store, received) == NotGranted(author=bytes(32))


# -- what is here already ------------------------------------------------------------------------


@pytest.mark.parametrize("held", [0, 3, 8, 10])
def test_what_is_here_is_known_from_its_checkpoint(ada: Site, bob: Site, held: int) -> None:
    if held:
        merge(bob.store, carried(ada.store, ada.log, 0, held))
    before = dump(bob.store)
    for _, end in PIECES:
        point = carried(ada.store, ada.log, 0, end).checkpoint
        assert is_held(bob.store, ada.log, point) == (end <= held)
    assert dump(bob.store) == before


@pytest.mark.parametrize("held", [8, 10])
@pytest.mark.parametrize("what", FORGED)
def test_nobody_says_that_it_is_here_but_its_author(
    ada: Site, bob: Site, what: str, held: int
) -> None:
    merge(bob.store, carried(ada.store, ada.log, 0, held))
    received = FORGED[what](carried(ada.store, ada.log, 0, 8))
    if received.log == ada.log:
        with pytest.raises(UnverifiedError):
            is_held(bob.store, received.log, received.checkpoint)
    else:
        assert not is_held(bob.store, received.log, received.checkpoint)


def test_another_history_is_not_here(ada: Site, bob: Site) -> None:
    merge(bob.store, carried(ada.store, ada.log))
    received = with_root(carried(ada.store, ada.log, 0, 8))
    assert not is_held(bob.store, received.log, received.checkpoint)


# -- a root that is computed here -----------------------------------------------------------------


@pytest.mark.parametrize(("first", "end"), PIECES)
def test_the_root_that_was_signed_follows_from_what_is_held(
    ada: Site, bob: Site, first: int, end: int
) -> None:
    """Also where more is held already."""
    for before in (first, 10):
        if before:
            merge(bob.store, carried(ada.store, ada.log, 0, before))
        received = carried(ada.store, ada.log, first, end)
        signature = received.checkpoint.signature
        found = signed_after(bob.store, received.log, first, received.entries, signature)
        assert found == received.checkpoint


def test_nothing_else_is_taken_for_what_was_signed(ada: Site, bob: Site) -> None:
    merge(bob.store, carried(ada.store, ada.log, 0, 4))
    received = carried(ada.store, ada.log, 4, 8)
    entries, signature = received.entries.one_by_one(), received.checkpoint.signature
    for first, some, signed in (
        (4, entries[:3], signature),
        (4, [*entries[:3], entries[3]._replace(kind="other")], signature),
        (3, entries, signature),
        (4, entries, carried(ada.store, ada.log, 0, 4).checkpoint.signature),
        (4, entries, bytes(64)),
    ):
        with pytest.raises(UnverifiedError):
            signed_after(bob.store, received.log, first, Entries.of(some), signed)
