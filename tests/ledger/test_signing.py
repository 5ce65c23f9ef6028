from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.append import Draft, open_incarnation, own_log
from ledger.card import Card
from ledger.close import close_payload
from ledger.entry import INCARNATIONS_THING, Action
from ledger.errors import UnverifiedError
from ledger.facts import Grant, Role
from ledger.fork import Fork
from ledger.log import LogStatus, Range, log_origin
from ledger.members import members
from ledger.merge import Forked, Merged, merge, take_fork
from ledger.note import Checkpoint, sign_checkpoint
from ledger.signing import Signatures, Signer, Verifier
from tests.ledger.world import (
    NOW,
    Site,
    World,
    carried,
    change,
    dump,
    faults,
    keys_of,
    picture,
    send,
    settle,
)

QUINN, OTHER = keys_of("pq quinn"), keys_of("pq other")
ADA = keys_of("ada")
TEXT = b"a text"


def second(text: bytes) -> bytes:
    found = QUINN.signer.sign(text).mldsa44
    assert found is not None
    return found


# -- a signature ------------------------------------------------------------------------------


def test_who_promised_two_signatures_must_give_both() -> None:
    verifier = QUINN.card.verifier
    good = QUINN.signer.sign(TEXT)
    verifier.verify(TEXT, good)
    for bad in (
        good._replace(mldsa44=None),
        good._replace(mldsa44=OTHER.signer.sign(TEXT).mldsa44),
        good._replace(mldsa44=second(b"another text")),
        good._replace(mldsa44=b""),
        good._replace(ed25519=OTHER.signer.sign(TEXT).ed25519),
    ):
        with pytest.raises(UnverifiedError):
            verifier.verify(TEXT, bad)


def test_who_promised_one_signature_must_not_give_two() -> None:
    once = ADA.signer.sign(TEXT)
    assert once.mldsa44 is None
    ADA.card.verifier.verify(TEXT, once)
    with pytest.raises(UnverifiedError, match="by no key"):
        ADA.card.verifier.verify(TEXT, once._replace(mldsa44=second(TEXT)))


def test_of_an_author_with_several_cards_one_must_be_kept() -> None:
    both = Verifier(QUINN.author, QUINN.card.verifier.mldsa44 | {None})
    both.verify(TEXT, QUINN.signer.sign(TEXT))
    both.verify(TEXT, QUINN.signer.sign(TEXT)._replace(mldsa44=None))
    mixed = Signatures(QUINN.signer.sign(TEXT).ed25519, OTHER.signer.sign(TEXT).mldsa44)
    with pytest.raises(UnverifiedError):
        both.verify(TEXT, mixed)


def test_a_key_that_is_none_verifies_nothing() -> None:
    for key in (b"short", b"\xff" * 1312, bytes(1312)):
        with pytest.raises(UnverifiedError):
            Verifier(QUINN.author, frozenset({key})).verify(TEXT, QUINN.signer.sign(TEXT))


@given(st.integers(0, 2420 * 8 - 1))
@settings(max_examples=30)
def test_a_flipped_bit_anywhere_in_the_second_signature_is_seen(position: int) -> None:
    flipped = bytearray(second(TEXT))
    flipped[position // 8] ^= 1 << position % 8
    signatures = Signatures(QUINN.signer.sign(TEXT).ed25519, bytes(flipped))
    with pytest.raises(UnverifiedError):
        QUINN.card.verifier.verify(TEXT, signatures)


# -- in a ledger ------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "pq quinn", "bob") as made:
        yield made


@pytest.fixture
def ada(world: World) -> Site:
    return world.sites[0]


@pytest.fixture
def quinn(world: World) -> Site:
    return world.sites[1]


@pytest.fixture
def bob(world: World) -> Site:
    return world.sites[2]


def test_both_kinds_of_authors_write_in_one_ledger(world: World) -> None:
    ada, quinn, bob = world.sites
    ada.put("t", 1)
    quinn.put("t", 2)
    quinn.put("u", 3)
    send(quinn, ada)
    send(ada, bob)  # passed on by somebody who has no such key
    settle(ada, quinn, bob)
    for site in world.sites:
        assert site.values("u") == [3]
        assert faults(site.store) == []
        assert picture(site.store) == picture(ada.store)
        (log,) = [state for state in site.store.logs() if state.name.author == QUINN.author]
        for point in site.store.checkpoints(log, 0, 9):
            point.verify(log_origin(site.store.ledger_id, log.name), QUINN.card.verifier)
            assert point.mldsa44 is not None


def stripped(point: Checkpoint) -> Checkpoint:
    return replace(point, mldsa44=None)


def by_another(point: Checkpoint) -> Checkpoint:
    signed = sign_checkpoint(OTHER.signer, "another log", point.size, point.root)
    return replace(point, mldsa44=signed.mldsa44)


def altered(point: Checkpoint) -> Checkpoint:
    assert point.mldsa44 is not None
    return replace(point, mldsa44=point.mldsa44[:-1] + bytes([point.mldsa44[-1] ^ 1]))


WRONGS = [stripped, by_another, altered]


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_is_not_signed_twice_is_not_taken(
    ada: Site, quinn: Site, wrong: Callable[[Checkpoint], Checkpoint]
) -> None:
    quinn.put("t", 1)
    before = dump(ada.store)
    good = carried(quinn.store, quinn.log)
    with pytest.raises(UnverifiedError):
        merge(ada.store, replace(good, checkpoint=wrong(good.checkpoint)))
    assert dump(ada.store) == before
    assert merge(ada.store, good) == Merged(count=1)


def test_a_second_signature_that_nobody_promised_is_not_taken(ada: Site, bob: Site) -> None:
    ada.put("t", 1)
    good = carried(ada.store, ada.log)
    longer = replace(good.checkpoint, mldsa44=second(b"anything"))
    with pytest.raises(UnverifiedError):
        merge(bob.store, replace(good, checkpoint=longer))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE checkpoint SET mldsa44 = NULL",
        "UPDATE checkpoint SET mldsa44 = zeroblob(2420)",
        "UPDATE checkpoint SET mldsa44 = (SELECT mldsa44 FROM checkpoint WHERE size = 2) "
        "WHERE size = 1",
    ],
)
def test_a_file_whose_second_signatures_were_changed_does_not_verify(quinn: Site, sql: str) -> None:
    quinn.put("t", 1)
    quinn.put("t", 2)
    assert faults(quinn.store) == []
    assert change(quinn.store, sql)
    (fault,) = faults(quinn.store)
    assert "second signature" in str(fault)


class Forger:
    """Somebody who can make Ed25519 signatures in the name of Quinn, and no others."""

    def __init__(self, world: World) -> None:
        genuine = world.sites[1]
        genuine.put("t", "genuine")
        copy = genuine.backup(world.folder / "copy.db")
        genuine.put("t", "more")
        self.site = world.join("pq quinn", folder="forger")
        self.site.restore(copy)
        self.site.author = replace(self.site.author, signer=Signer(QUINN.signing))
        self.site.put("t", "forged")

    def forged(self) -> Range:
        return carried(self.site.store, self.site.log, 1)


def test_who_breaks_ed25519_cannot_make_it_look_as_if_the_author_had_forked(world: World) -> None:
    ada, quinn, _ = world.sites
    forger = Forger(world)
    send(quinn, ada)
    before = dump(ada.store)
    with pytest.raises(UnverifiedError, match="missing"):
        merge(ada.store, forger.forged())
    assert dump(ada.store) == before


def test_a_fork_of_which_one_half_is_signed_once_proves_nothing(world: World) -> None:
    ada, quinn, bob = world.sites
    quinn.put("t", "genuine")
    twin = world.join("pq quinn", folder="twin")
    twin.restore(quinn.backup(world.folder / "copy.db"))
    quinn.put("t", "more")
    twin.put("t", "really forked")
    send(quinn, ada)
    outcome = merge(ada.store, carried(twin.store, twin.log, 1))
    assert isinstance(outcome, Forked)
    fork = outcome.fork
    assert fork is not None
    fork.verify(ada.store.ledger_id, quinn.log, QUINN.card.verifier)
    assert Fork.from_bytes(fork.to_bytes()) == fork
    for number in (0, 1):
        halves = list(fork.branches)
        halves[number] = replace(halves[number], checkpoint=stripped(halves[number].checkpoint))
        with pytest.raises(UnverifiedError, match="missing"):
            take_fork(bob.store, quinn.log, Fork.of(fork.index, *halves))
    assert bob.store.evidence("fork") == []
    assert isinstance(take_fork(bob.store, quinn.log, fork), Forked)


def test_a_close_under_one_signature_closes_nothing(world: World) -> None:
    ada, quinn, _ = world.sites
    quinn.put("t", 1)
    closing = own_log(quinn.store, quinn.author)
    origin = log_origin(quinn.store.ledger_id, closing.name)
    last = quinn.author.sign_checkpoint(origin, 1, closing.frontier.root())
    for point, status in ((stripped(last), LogStatus.OPEN), (last, LogStatus.CLOSED)):
        open_incarnation(quinn.store, quinn.author)
        payload = close_payload(closing.name, point)
        quinn.write(
            Draft(thing=INCARNATIONS_THING, payload=payload, time_us=NOW, action=Action.CLOSE)
        )
        settle(ada, quinn)
        for site in (ada, quinn):
            assert site.store.log(closing.name).status is status
            assert faults(site.store) == []


def test_an_author_restored_from_a_backup_signs_its_close_twice(world: World) -> None:
    ada, quinn, _ = world.sites
    quinn.put("t", 1)
    copy = quinn.backup(world.folder / "copy.db")
    quinn.put("t", 2)
    send(quinn, ada)
    quinn.restore(copy)
    quinn.put("t", 3)
    settle(ada, quinn)
    assert sorted(map(str, ada.values("t"))) == ["2", "3"]
    closed = [one for one in ada.store.logs() if one.status is LogStatus.CLOSED]
    assert [one.name.author for one in closed] == [QUINN.author]
    for site in (ada, quinn):
        assert faults(site.store) == []


def test_of_several_cards_of_one_author_none_takes_back_what_another_let_in(
    world: World,
) -> None:
    ada, quinn, bob = world.sites
    quinn.put("t", 1)
    good = carried(quinn.store, quinn.log)
    once = replace(good, checkpoint=stripped(good.checkpoint))
    with pytest.raises(UnverifiedError):
        merge(bob.store, once)
    plain = Card.sign(QUINN.signing, name="a plain card", keys=ADA.card.keys)
    ada.grant_payload(Grant(card=plain, role=Role.ADMIN).to_payload())
    send(ada, bob)
    assert merge(bob.store, once) == Merged(count=1)
    assert merge(ada.store, good) == Merged(count=1)
    settle(ada, bob)
    for site in (ada, bob):
        assert faults(site.store) == []
        assert members(site.store).verifier(QUINN.author).mldsa44 == {
            None,
            *QUINN.card.verifier.mldsa44,
        }
