import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool.delivery import Delivery, StoredDelivery, parse_stored
from spool.errors import MalformedNameError
from tests.spool.samples import ANNE, STICK, fragment


@pytest.mark.parametrize("peer", [ANNE, "unknown"])
@pytest.mark.parametrize("source", [STICK, "serial0"])
def test_file_names_round_trip(peer: str, source: str) -> None:
    stored = StoredDelivery.of(Delivery(fragment(7, priority=2), peer, source, b"data"))
    assert stored.file_name.startswith(f"20064-{peer}-{source}-")
    assert parse_stored(stored.bundle_id, stored.file_name) == stored


@given(st.text())
def test_any_other_name_is_no_delivery(text: str) -> None:
    parsed = parse_stored("0" * 16, text)
    assert parsed is None or parsed.file_name == text


@pytest.mark.parametrize(("peer", "source"), [("..", STICK), (ANNE, "../x"), (ANNE, "")])
def test_a_delivery_cannot_name_a_path(peer: str, source: str) -> None:
    with pytest.raises(MalformedNameError):
        StoredDelivery.of(Delivery(fragment(1), peer, source, b""))
