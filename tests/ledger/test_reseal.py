from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import AlteredError, RefusedError
from ledger.reseal import reseal
from ledger.rest import RestKey
from ledger.store import Store
from tests.ledger.disk import bytes_below, lived
from tests.ledger.world import REST_KEY, Drbg, World, change, faults, picture


@pytest.fixture(params=[False, True], ids=["names shown", "names hidden"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    key = RestKey(REST_KEY.key, hides_names=bool(request.param))
    with World.of(tmp_path, "ada", "bob", "cy", key=key) as made:
        yield made


def test_a_file_put_under_another_key_says_the_same(world: World, tmp_path: Path) -> None:
    ada, _, cy = world.sites
    secrets = lived(world)
    for site in (ada, cy):
        shown, dropped = picture(site.store), list(site.store.dropped(0))
        new = RestKey(Drbg("another node")(32))
        reseal(site.store, new.of_ledger(world.genesis.ledger_id))
        with Store.open(site.store.path, new) as again:
            assert picture(again) == shown
            assert list(again.dropped(0)) == dropped
            assert again.rest.hides_names == site.store.rest.hides_names
            assert faults(again) == []
            list(again.logs())
        with pytest.raises(RefusedError):
            Store.open(site.store.path, REST_KEY)
    on_disk = bytes_below(tmp_path)
    assert [secret for secret in secrets if secret in on_disk] == []


def test_what_does_not_open_is_put_under_no_other_key(world: World) -> None:
    ada = world.sites[0]
    ada.put("t", 1)
    ada.put("t", 2)
    change(ada.store, "UPDATE entry SET payload = zeroblob(40) WHERE id & 1 = 1")
    with pytest.raises(AlteredError):
        reseal(ada.store, bytes(32))
    with Store.open(ada.store.path, REST_KEY) as again:
        assert len(again.entries(again.log(ada.log), 0, 1)) == 1
