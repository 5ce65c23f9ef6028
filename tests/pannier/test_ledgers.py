from pathlib import Path

import pytest

from ledger.data import payload_from_value
from ledger.errors import MalformedError
from pannier import ledgers
from tests.cli.computers import new_computer


def test_a_program_puts_values_and_bad_ones_stop_it(tmp_path: Path) -> None:
    values = [("field/3", {"b": 1, "a": None}, 5), ("field/4", "dry", 6), ("field/3", [1.5], 7)]
    with new_computer(tmp_path, "farm").node() as node:
        store = ledgers.new_ledger(node, "weather")
        assert ledgers.put_values(node, store, values, kind="reading") == 3
        (state,) = store.logs()
        found = store.entries(state, 0, 3)
        assert [(one.thing, one.payload, one.time_us) for one in found] == [
            (thing, payload_from_value(value), time_us) for thing, value, time_us in values
        ]
        assert {one.kind for one in found} == {"reading"}
        many = [(f"field/{n % 7}", {"a": n, "b": "x" * (n % 900)}, n) for n in range(3000)]
        assert ledgers.put_values(node, store, iter(many)) == 3000
        found = store.entries(store.log(state.name), 3, 3003)
        assert [(one.thing, one.payload, one.time_us) for one in found] == [
            (thing, payload_from_value(value), time_us) for thing, value, time_us in many
        ]
        for bad in (("x", float("nan"), 0), ("x", 1, 2**63), ("", 1, 0)):
            with pytest.raises(MalformedError):
                ledgers.put_values(node, store, [bad])
        assert store.log(state.name).size == 3003
