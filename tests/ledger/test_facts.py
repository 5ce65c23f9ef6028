import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import cbor
from ledger.entry import Action, Entry, leaf_bytes
from ledger.errors import LedgerError, MalformedError, RefusedError, UnverifiedError
from ledger.facts import (
    MAX_AFTER,
    MAX_REVOKED_LOGS,
    Fact,
    Grant,
    Revocation,
    Role,
    grant_from_payload,
    revocation_from_payload,
    role_from_label,
)
from ledger.log import LogName
from ledger.merkle import leaf_hash
from tests.ledger.world import keys_of, payload

CARD = keys_of("bob").card
IDS = [bytes([number]) * 16 for number in range(3)]
INCARNATIONS = [bytes([number]) * 8 for number in range(3)]


def granted(**changes: object) -> bytes:
    fields = {"after": [], "card": CARD.to_bytes(), "role": "writer"} | changes
    return payload({key: value for key, value in fields.items() if value is not None})


BAD_GRANTS: dict[str, bytes] = {
    "no map": payload(None),
    "no role": granted(role=None),
    "no after": granted(after=None),
    "a key more": granted(x=0),
    "a role that is none": granted(role="owner"),
    "a role in capitals": granted(role="WRITER"),
    "a number for a role": granted(role=1),
    "a card that is text": granted(card=CARD.to_text()),
    "a forged card": granted(card=CARD.to_bytes()[:-1] + b"x"),
    "after something short": granted(after=[IDS[0][:15]]),
    "after in another order": granted(after=[IDS[1], IDS[0]]),
    "after the same twice": granted(after=[IDS[0], IDS[0]]),
    "after too many": granted(
        after=[number.to_bytes(16, "big") for number in range(MAX_AFTER + 1)]
    ),
    "no CBOR": b"\xff",
    "too long": granted(card=bytes(1 << 15)),
}


@pytest.mark.parametrize("what", BAD_GRANTS)
def test_a_grant_out_of_bounds_is_refused(what: str) -> None:
    with pytest.raises((MalformedError, UnverifiedError, RefusedError)):
        grant_from_payload(BAD_GRANTS[what])


@pytest.mark.parametrize("role", Role)
def test_a_grant_says_who_and_what_and_after_what(role: Role) -> None:
    for after in ((), tuple(IDS)):
        grant = Grant(card=CARD, role=role, after=after)
        assert grant_from_payload(grant.to_payload()) == grant
    assert role_from_label(role.label) is role
    with pytest.raises(RefusedError, match="reader, writer or admin"):
        role_from_label("owner")


def test_the_most_that_a_grant_overrules() -> None:
    after = tuple(number.to_bytes(16, "big") for number in range(MAX_AFTER))
    grant = Grant(card=CARD, role=Role.READER, after=after)
    assert grant_from_payload(grant.to_payload()) == grant


def revoked(*logs: object, author: object = CARD.author) -> bytes:
    return payload({"author": author, "logs": list(logs)})


ONE, TWO = ([incarnation, 7] for incarnation in INCARNATIONS[:2])
BAD_REVOCATIONS: dict[str, bytes] = {
    "no map": payload([]),
    "no logs": payload({"author": CARD.author}),
    "a key more": payload({"author": CARD.author, "logs": [], "x": 0}),
    "a short author": revoked(author=bytes(31)),
    "an author in text": revoked(author="bob"),
    "a log that is none": revoked([INCARNATIONS[0]]),
    "a short incarnation": revoked([bytes(7), 1]),
    "a size below 0": revoked([INCARNATIONS[0], -1]),
    "a size beyond all logs": revoked([INCARNATIONS[0], 2**32 + 1]),
    "a size that is true": revoked([INCARNATIONS[0], True]),
    "another order": revoked(TWO, ONE),
    "one log twice": revoked(ONE, [INCARNATIONS[0], 9]),
    "too many logs": revoked(*([n.to_bytes(8, "big"), 1] for n in range(MAX_REVOKED_LOGS + 1))),
    "no CBOR": b"\xff",
}


@pytest.mark.parametrize("what", BAD_REVOCATIONS)
def test_a_revocation_out_of_bounds_is_refused(what: str) -> None:
    with pytest.raises(MalformedError):
        revocation_from_payload(BAD_REVOCATIONS[what])


@given(st.dictionaries(st.binary(min_size=8, max_size=8), st.integers(0, 2**32), max_size=20))
def test_a_revocation_says_who_and_how_much_counts(sizes: dict[bytes, int]) -> None:
    revocation = Revocation(author=CARD.author, sizes=sizes)
    data = revocation.to_payload()
    assert revocation_from_payload(data) == revocation
    fields = cbor.as_map(cbor.decode(data, limit_bytes=1 << 14), "author", "logs")
    assert fields["logs"] == sorted([one, size] for one, size in sizes.items())


def test_the_most_that_a_revocation_names() -> None:
    sizes = {number.to_bytes(8, "big"): 2**32 for number in range(MAX_REVOKED_LOGS)}
    revocation = Revocation(author=CARD.author, sizes=sizes)
    assert revocation_from_payload(revocation.to_payload()) == revocation


@given(st.binary(max_size=60))
def test_any_bytes_are_a_fact_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(LedgerError):
        grant_from_payload(data)
    with pytest.raises(LedgerError):
        revocation_from_payload(data)


def fact(action: int, data: bytes | None) -> Fact:
    entry = Entry("members", "", action, 0, (), bytes(32), data)
    return Fact(LogName(CARD.author, bytes(8)), 0, entry)


def test_a_fact_says_what_its_action_and_payload_say() -> None:
    grant = Grant(card=CARD, role=Role.WRITER)
    revocation = Revocation(author=CARD.author, sizes={bytes(8): 3})
    assert fact(Action.GRANT, grant.to_payload()).says() == grant
    assert fact(Action.REVOKE, revocation.to_payload()).says() == revocation
    for action in (Action.PUT, Action.CLOSE, Action.EPOCH, Action.REVOKE):
        assert fact(action, grant.to_payload()).says() is None
    for action in (Action.GRANT, Action.REVOKE):
        assert fact(action, b"\xff").says() is None
        assert fact(action, None).says() is None


def test_a_fact_is_named_by_the_beginning_of_its_leaf() -> None:
    one = fact(Action.GRANT, granted())
    assert one.id == leaf_hash(leaf_bytes(one.entry))[:16]
