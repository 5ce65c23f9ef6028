"""Each row of the table in docs/trust.md has a mutant, and each mutant a row and a place.

That the tests kill them is for `make mutants`, which takes minutes.
"""

import re

import pytest

from tests.mutants.patch_file import ROOT, Mutant, mutants

ROW = re.compile(r"^\|.*\| `([a-z0-9-]+)` \|$", re.MULTILINE)


def rows() -> list[str]:
    return ROW.findall((ROOT / "docs" / "trust.md").read_text())


def test_the_table_and_the_mutants_are_the_same_set() -> None:
    assert len(rows()) == len(set(rows()))
    assert set(rows()) == {one.name for one in mutants()}


@pytest.mark.parametrize("mutant", mutants(), ids=lambda one: one.name)
def test_a_mutant_fits_and_names_tests_that_are_there(mutant: Mutant) -> None:
    mutant.apply(ROOT, only_check=True)
    for test in mutant.killed_by:
        path, _, rest = test.partition("::")
        text = (ROOT / path).read_text()
        for part in rest.split("[")[0].split("::"):
            assert re.search(rf"(def|class) {part}\b", text), f"{test} is not there"
