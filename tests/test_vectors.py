import json

import pytest

from tests.vectors import FOLDER
from tests.vectors.generate import areas, wanted_files

EXPECTATIONS = {"success", "malformed", "unverified", "refused"}


def test_every_folder_has_a_generator() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/*.json")}
    assert folders == set(areas())


@pytest.mark.parametrize("area", areas())
def test_the_files_are_what_the_generator_writes(area: str) -> None:
    found = {path: path.read_text(encoding="utf-8") for path in (FOLDER / area).iterdir()}
    wanted = wanted_files(area)
    assert found.keys() == wanted.keys()
    changed = [path.name for path, text in found.items() if text != wanted[path]]
    assert not changed, "run `make vectors` if the change is meant"


@pytest.mark.parametrize("area", areas())
def test_every_case_says_what_it_is_and_what_must_happen(area: str) -> None:
    for path, text in wanted_files(area).items():
        case = json.loads(text)
        assert case["comment"], path
        assert case["expect"] in EXPECTATIONS, path
