"""A bounded run of the repair laboratory: each sort of damage once, the same each time."""

from pathlib import Path

import pytest

from tests.proving.repair import CASES, Made, check, check_seed, make

_PLAIN = (
    "a page zeroed",
    "a page of noise",
    "no header",
    "a table gone",
    "all entries and node.db lost",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("repair"))


@pytest.mark.parametrize("name", CASES)
def test_what_is_kept_is_genuine_and_the_rest_comes_back(
    name: str, made: Made, tmp_path: Path
) -> None:
    repaired = check_seed(made, tmp_path / "world", name, 0)
    if name in _PLAIN:
        assert repaired, "the damage must have been seen"


def test_a_sound_home_is_left_alone(made: Made, tmp_path: Path) -> None:
    assert check(made, tmp_path / "world", lambda _: None) == []
