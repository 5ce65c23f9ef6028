"""What a ledger file does not tell who has it but not the keys of its node."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import Action
from ledger.errors import AlteredError, DamagedError, MalformedError, RefusedError
from ledger.genesis import LedgerId
from ledger.rest import NAME_EXTRA_BYTES, TAG_BYTES, FileKey, Rest, RestKey
from ledger.store import Store
from ledger.views import between, conflicts, heads, history, last_before, missing, things
from tests.ledger.disk import bytes_below, lived
from tests.ledger.world import (
    NOW,
    REST_KEY,
    Site,
    World,
    carried,
    change,
    draft,
    faults,
    picture,
    settle,
)
from tests.vectors import FOLDER

KEY = bytes(range(32))
HIDDEN = RestKey(REST_KEY.key, hides_names=True)
PAYLOADS = st.binary(max_size=200)
DIGESTS = st.binary(min_size=32, max_size=32)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


# -- sealing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((FOLDER / "rest").glob("*.json")), ids=lambda p: p.stem)
def test_vector(path: Path) -> None:
    case = json.loads(path.read_text())
    rest = Rest(
        RestKey(bytes.fromhex(case["rest_key"])).of_ledger(LedgerId(bytes.fromhex(case["ledger"]))),
        hides_names=True,
    )
    assert rest.check.hex() == case["check"]
    digest, payload = bytes.fromhex(case["digest"]), bytes.fromhex(case["payload"])
    assert rest.seal_payload(digest, payload).hex() == case["sealed_payload"]
    assert rest.open_payload(digest, bytes.fromhex(case["sealed_payload"])) == payload
    name = rest.seal_name(case["name"])
    assert isinstance(name, bytes)
    assert name.hex() == case["sealed_name"]
    what, data = bytes.fromhex(case["what"]), bytes.fromhex(case["data"])
    assert rest.seal(what, data).hex() == case["sealed"]


@given(digest=DIGESTS, payload=PAYLOADS)
def test_a_payload_opens_under_its_digest_and_key_only(digest: bytes, payload: bytes) -> None:
    rest, other = Rest(KEY), Rest(bytes(32))
    sealed = rest.seal_payload(digest, payload)
    assert len(sealed) == len(payload) + TAG_BYTES
    assert rest.open_payload(digest, sealed) == payload
    for opener, under in ((other, digest), (rest, bytes([digest[0] ^ 1]) + digest[1:])):
        with pytest.raises(AlteredError):
            opener.open_payload(under, sealed)


@given(st.lists(st.tuples(DIGESTS, st.none() | PAYLOADS), max_size=6), st.booleans())
def test_many_payloads_are_sealed_as_each_of_them(
    rows: list[tuple[bytes, bytes | None]], some_left_out: bool
) -> None:
    rest = Rest(KEY)
    kept = rows if some_left_out else [row for row in rows if row[1] is not None]
    digests, payloads = [digest for digest, _ in kept], [payload for _, payload in kept]
    sealed = list(rest.seal_payloads(digests, payloads))
    assert sealed == [
        None if payload is None else rest.seal_payload(digest, payload) for digest, payload in kept
    ]
    assert rest.open_payloads(digests, sealed) == payloads
    for number, one in enumerate(sealed):
        if one is not None:
            altered = [*sealed[:number], bytes([one[0] ^ 1]) + one[1:], *sealed[number + 1 :]]
            with pytest.raises(AlteredError):
                rest.open_payloads(digests, altered)


@given(sealed=st.binary(max_size=60), digest=st.binary(max_size=40))
def test_any_bytes_are_damage_and_nothing_worse(sealed: bytes, digest: bytes) -> None:
    rest = Rest(KEY, hides_names=True)
    for opened in (
        lambda: rest.open_payload(digest, sealed),
        lambda: rest.open_payloads([digest], [sealed]),
        lambda: rest.open(b"cover\0", sealed),
        lambda: rest.open_name(sealed),
    ):
        with pytest.raises(AlteredError):
            opened()


@given(what=st.sampled_from([b"cover\0a", b"cover\0b", b"dropped entry\0a"]), data=PAYLOADS)
def test_what_was_sealed_as_something_else_does_not_open(what: bytes, data: bytes) -> None:
    rest = Rest(KEY)
    sealed = rest.seal(what, data)
    assert rest.open(what, sealed) == data
    assert sealed == rest.seal(what, data)
    with pytest.raises(AlteredError):
        rest.open(what + b"x", sealed)
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(AlteredError):
            rest.open(what, bytes(altered))


@given(name=NAMES)
def test_a_hidden_name_comes_back_and_is_found_again(name: str) -> None:
    sealed = Rest(KEY, hides_names=True).seal_name(name)
    rest = Rest(KEY, hides_names=True)
    assert sealed == rest.seal_name(name)
    assert isinstance(sealed, bytes)
    assert len(sealed) == len(name.encode()) + NAME_EXTRA_BYTES
    assert rest.open_name(sealed) == name
    assert rest.open_name(sealed) == name
    assert Rest(KEY).seal_name(name) == Rest(KEY).open_name(name) == name


def test_a_name_of_the_other_sort_is_damage() -> None:
    for hides_names, value in ((True, "name"), (False, b"name"), (True, 5), (False, None)):
        with pytest.raises(AlteredError):
            Rest(KEY, hides_names=hides_names).open_name(value)
    with pytest.raises(MalformedError):
        Rest(KEY, hides_names=True).seal_name("\ud800")


def test_a_key_is_in_no_text() -> None:
    assert repr(KEY) not in repr(RestKey(KEY)) + repr(FileKey(KEY)) + repr(Rest(KEY))


# -- a file --------------------------------------------------------------------------------------


@pytest.fixture(params=[REST_KEY, HIDDEN], ids=["names shown", "names hidden"])
def key(request: pytest.FixtureRequest) -> RestKey:
    assert isinstance(request.param, RestKey)
    return request.param


@pytest.fixture
def world(tmp_path: Path, key: RestKey) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy", key=key) as made:
        yield made


def test_no_payload_and_no_seed_is_in_any_file(world: World) -> None:
    secrets = lived(world)
    on_disk = bytes_below(world.folder)
    assert {path.suffix for path in world.folder.rglob("*.db-wal")} == {".db-wal"}
    assert [secret for secret in secrets if secret in on_disk] == []
    for site in world.sites:
        assert faults(site.store) == []
        assert site.values("well") == world.sites[0].values("well")


@pytest.mark.parametrize("key", [HIDDEN], ids=[""])
def test_no_hidden_name_is_in_any_file(world: World) -> None:
    ada, bob, _ = world.sites
    lived(world)
    ada.write(draft("a thing that nobody may know of", 1, kind="secret kind"))
    settle(ada, bob)
    on_disk = bytes_below(world.folder)
    for name in (b"well", b"a thing that nobody", b"secret kind", b"incarnations"):
        assert name not in on_disk


def test_a_file_with_hidden_names_shows_the_same_views(tmp_path: Path) -> None:
    """Two nodes of one ledger, of which one hides names, agree in all that people are shown."""
    with World.of(tmp_path, "ada") as world:
        world.sites[0].put("a", 0)
        genesis = world.genesis
        with Store.create(tmp_path, genesis, HIDDEN) as hidden:
            ada = world.sites[0]
            other = Site(keys=ada.keys, store=hidden, author=ada.author)
            for number, thing in enumerate(("b/2", "a", "b/10", "ü", "b", "c")):
                ada.put(thing, number)
            ada.write(draft("kinds", 1, kind="größe"), draft("b/2", 2, kind="größe"))
            ada.delete("c")
            for log in ada.store.logs():
                other.take(carried(ada.store, log.name))
            assert picture(hidden) == picture(ada.store)
            for prefix in ("", "b", "b/", "z"):
                assert list(things(hidden, prefix)) == list(things(ada.store, prefix))
            until = NOW + 3
            assert heads(hidden, "a", until_us=until) == heads(ada.store, "a", until_us=until)
            assert list(between(hidden, NOW, until)) == list(between(ada.store, NOW, until))
            assert (missing(hidden, "a"), conflicts(hidden)) == ([], [])
            (log,) = ada.store.logs()
            assert last_before(hidden, "b/2", log.name, 5) == last_before(
                ada.store, "b/2", log.name, 5
            )
            assert hidden.costs(log, 0, log.size) == ada.store.costs(log, 0, log.size)
            assert [one.number for one in history(hidden, "b/2")] == [1, 8]


def test_a_file_of_another_key_is_left_alone(world: World, key: RestKey) -> None:
    ada = world.sites[0]
    ada.put("t", 1)
    before = ada.store.path.read_bytes()
    for other in (RestKey(bytes(32)), FileKey(key.key)):
        with pytest.raises(RefusedError, match="only the keys that wrote it"):
            Store.open(ada.store.path, other)
    with pytest.raises(RefusedError, match="only the keys that wrote it"):
        Store.create(ada.store.path.parent, world.genesis, RestKey(bytes(32)))
    assert ada.store.path.read_bytes() == before


def test_a_payload_put_in_the_place_of_another_is_damage(world: World) -> None:
    ada = world.sites[0]
    ada.put("t", "one")
    state = ada.put("t", "two")
    sql = "UPDATE entry SET payload = (SELECT payload FROM entry WHERE id = ?) WHERE id = ?"
    change(ada.store, sql, (1 << 32) + state.size - 2, (1 << 32) + state.size - 1)
    with pytest.raises(AlteredError):
        ada.values("t")


def test_a_grant_that_does_not_open_is_named(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob", admins=["ada"]) as world:
        ada = world.sites[0]
        ada.grant("bob")
        change(ada.store, "UPDATE entry SET payload = zeroblob(99) WHERE action = 2")
        with pytest.raises(DamagedError, match=r"entry \d+: the payload is not the one"):
            ada.store.facts((Action.GRANT,))
