"""Names of things and kinds by number, in a real file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import names
from ledger.errors import AlteredError, DamagedError
from ledger.rest import RestKey
from ledger.store import Store
from tests.ledger.world import REST_KEY, change, genesis_of

HIDDEN = RestKey(REST_KEY.key, hides_names=True)
MANY = [f"thing {number}" for number in range(1203)]


@pytest.fixture(params=[REST_KEY, HIDDEN], ids=["readable", "hidden"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    with Store.create(tmp_path, genesis_of("ada"), request.param) as made:
        yield made


def numbered(store: Store, wanted: list[str]) -> dict[str, int]:
    with store.transaction():
        found = store.names.numbers("thing", wanted)
    return {name: found[name] for name in wanted}


def test_names_keep_their_numbers_and_come_back_by_them(store: Store) -> None:
    first = numbered(store, ["b", "a"])
    every = numbered(store, ["c", *MANY, "a", "b"])
    assert {name: every[name] for name in first} == first
    assert len(set(every.values())) == len(every)
    by_number = {number: name for name, number in every.items()}
    assert store.names.of_numbers("thing", list(by_number)) == by_number
    assert store.names.of_numbers("kind", list(by_number)) == {}
    assert store.names.of_numbers("thing", [10**6, "text", None, b"bytes"]) == {}


def test_what_another_connection_wrote_is_found(store: Store) -> None:
    with Store.open(store.path, HIDDEN if store.rest.hides_names else REST_KEY) as other:
        theirs = numbered(other, MANY)
        assert numbered(store, [*MANY[:700], "mine"]) | theirs == numbered(other, [*MANY, "mine"])


def test_numbers_that_were_rolled_back_are_given_anew(store: Store) -> None:
    numbered(store, ["a"])

    def lose() -> None:
        with store.transaction():
            store.names.numbers("thing", ["lost"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lose()
    assert numbered(store, ["kept"]) == {"kept": 2}
    assert store.names.of_numbers("thing", [1, 2]) == {1: "a", 2: "kept"}


def test_few_names_are_remembered_of_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_MAX_KNOWN", 10)
    every = numbered(store, MANY)
    assert numbered(store, ["new", *MANY]) == every | {"new": len(MANY) + 1}
    with store.transaction():
        assert len(store.names.numbers("thing", ["new"])) == 1


def test_only_things_of_other_logs_are_of_others(store: Store) -> None:
    numbers = numbered(store, ["mine", "ours", "theirs", *MANY])
    with store.transaction():
        for name, row in (("mine", 1), ("ours", 1), ("ours", 2), ("theirs", 2), (MANY[-1], 3)):
            store.run("INSERT INTO latest VALUES (?, ?, 0)", numbers[name], row)
    asked = ["mine", "ours", "theirs", "nobody's", *MANY]
    assert store.names.of_others(asked, 1) == {"ours", "theirs", MANY[-1]}
    assert store.names.of_others(["mine", "theirs"], 0) == {"mine", "theirs"}
    assert store.names.of_others([], 1) == set()


def test_a_damaged_name_is_said_so(store: Store) -> None:
    numbered(store, ["a"])
    change(store, "UPDATE thing SET name = x'00'")
    with pytest.raises((AlteredError, DamagedError)):
        store.names.of_numbers("thing", [1])
